"""What must always hold of billing: it does after the real verbs, and every violation is found by its name (INV-1)."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from core.database import transaction
from core.principal import Principal
from services import demo
from services.billing.verify import INVARIANTS, verify_billing
from tests.billing.renewing import DAY, END, night, subscribe

BREAK = {
    "lines_make_the_total": "UPDATE invoice_lines SET amount = amount + 1 WHERE id = 1",
    "tax_is_within_the_total": "UPDATE invoices SET vat_rate = 20, vat_amount = 1 WHERE id = 1",
    "numbers_have_no_gap": "UPDATE invoice_counters SET last_sequence = last_sequence + 1",
    "paid_by_a_payment": "UPDATE payments SET status = 'REJECTED' WHERE id = 1",
    "unpaid_without_money": "UPDATE invoices SET status = 'PENDING', paid_at = NULL WHERE id = 1",
    "payment_over_the_total": "UPDATE payments SET amount = amount + 1 WHERE id = 1",
    "refunds_are_what_was_given_back": "UPDATE payments SET refunded_amount = 1 WHERE id = 1",
    "history_ends_at_the_state": "UPDATE payments SET status = 'REFUNDED' WHERE id = 1",
    "one_renewal_a_period": "DROP INDEX uq_invoices_renewal; INSERT INTO invoices (partner_id, install_id, subscription_id, "
    "legal_entity, year, sequence, number, kind, period_start, currency, total, due_at) SELECT partner_id, install_id, "
    "subscription_id, legal_entity, year, sequence + 1, 'x', kind, period_start, currency, total, due_at FROM invoices "
    "WHERE kind = 'RENEWAL'",
    "one_live_subscription": "DROP INDEX uq_subscriptions_live; INSERT INTO subscriptions (partner_id, install_id, "
    "product_id, term, status, seats, unit_price, currency, starts_at, ends_at, anchor_day) SELECT partner_id, install_id, "
    "product_id, term, 'TRIAL', seats, unit_price, currency, starts_at, ends_at, anchor_day FROM subscriptions",
    "install_shows_its_subscription": "UPDATE installs SET subscription_kind = 'NONE'",
    "renewed_for_what_was_paid": "UPDATE invoices SET subscription_id = NULL",
    "prepayments_are_closed": "UPDATE payments SET receipt_method = 'FULL_PREPAYMENT' WHERE id = 1",
    "closing_receipts_close_what_is_left": "INSERT INTO closing_receipts (partner_id, payment_id, invoice_id, amount, "
    "currency, due_at) SELECT partner_id, id, invoice_id, amount - 1, currency, now() FROM payments WHERE id = 1",
    "charged_only_while_open": "ALTER TABLE invoices DROP CONSTRAINT ck_invoices_charged_while_open; "
    "UPDATE invoices SET next_charge_at = now() WHERE id = 1",
}


async def violations() -> list[str]:
    async with transaction() as session:
        return await verify_billing(session)


@pytest.fixture
async def renewed(owner: asyncpg.Connection, world: Any, staff: Principal) -> asyncpg.Connection:
    """A subscription that was paid, and renewed twice by its card."""
    await subscribe(owner, world, staff)
    for days in (-7, 0, 24, 28, 29, 31):
        await night(owner, END + days * DAY)
    assert await owner.fetchval("SELECT count(*) FROM invoices WHERE status = 'PAID'") == 3
    return owner


async def test_it_holds_after_renewals(renewed: asyncpg.Connection) -> None:
    assert await violations() == []


async def test_it_holds_in_the_demo_world(owner: asyncpg.Connection) -> None:
    async with transaction() as session:
        await demo.seed(session, password="correct horse battery")
    assert await violations() == []


async def test_it_holds_where_nobody_pays(owner: asyncpg.Connection, world: Any, staff: Principal) -> None:
    await subscribe(owner, world, staff, None)
    for days in range(-7, 20):
        await night(owner, END + days * DAY)
    assert await owner.fetchval("SELECT status FROM subscriptions") == "EXPIRED"
    assert await violations() == []


def test_each_invariant_is_broken_once() -> None:
    assert set(BREAK) == set(INVARIANTS)


@pytest.mark.parametrize("name", sorted(BREAK))
async def test_a_violation_is_found(renewed: asyncpg.Connection, name: str) -> None:
    if name == "one_renewal_a_period":
        await renewed.execute(
            "DELETE FROM invoice_lines WHERE invoice_id = 3; UPDATE payments SET invoice_id = 2; DELETE FROM invoices WHERE id = 3"
        )
    await renewed.execute("SET session_replication_role = replica")
    await renewed.execute(BREAK[name])
    found = {violation.partition(":")[0] for violation in await violations()}
    assert name in found


async def test_the_nightly_job_leaves_a_dead_letter(renewed: asyncpg.Connection) -> None:
    from services.outbox import enqueue
    from workers.outbox import process

    await renewed.execute(BREAK["lines_make_the_total"])
    async with transaction() as session:
        message = await enqueue(session, "billing.verify", {})
    await process(message)
    assert "lines_make_the_total" in await renewed.fetchval("SELECT error FROM dead_letters")
