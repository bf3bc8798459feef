"""A night of renewals killed and doubled, one notification fifty times, one install activated by many (SUB-4, INV-3)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from core import clock
from core.database import transaction
from core.principal import Principal
from domain.billing import PaymentStatus
from domain.catalog import Term
from gateways.sandbox.client import GOOD_CARD, notification
from services import billing, installs
from services.billing.verify import verify_billing
from tests.billing.conftest import STAFF
from tests.billing.renewing import run_messages
from tests.factories.world import STAFF as MAKER
from tests.factories.world import a_partner, a_product, an_install
from workers.outbox import process

KILLED = Path(__file__).with_name("killed_renewals.py")
DUE = 400


async def violations() -> list[str]:
    async with transaction() as session:
        return await verify_billing(session)


@pytest.fixture
async def many_due(world: Any, owner: asyncpg.Connection) -> asyncpg.Connection:
    """Four hundred subscriptions whose renewals are to be billed now."""
    async with transaction() as session:
        await billing.create_subscription(
            session, STAFF, install_id=world.install, plan_id=world.plan, term=Term.MONTH, seats=2
        )
    await owner.execute(
        f"""
        INSERT INTO partners (name) SELECT 'P' || n FROM generate_series(1, {DUE}) n;
        INSERT INTO installs (partner_id, product_id, status, subscription_kind)
            SELECT id, {world.product}, 'ACTIVATED', 'PAID' FROM partners WHERE name LIKE 'P_%' AND name <> 'Partner';
        INSERT INTO subscriptions (partner_id, install_id, product_id, plan_id, term, status, seats, unit_price, currency,
            starts_at, ends_at, anchor_day)
            SELECT partner_id, id, product_id, {world.plan}, 'MONTH', 'ACTIVE', 3, 100, 'RUB', now() - interval '30 days',
                now() + interval '1 day', 15 FROM installs WHERE subscription_kind = 'PAID';
        """
    )
    return owner


async def renewals(owner: asyncpg.Connection) -> tuple[int, int]:
    """How many were issued, and for how many subscriptions."""
    row = await owner.fetchrow(
        "SELECT count(*) AS issued, count(DISTINCT subscription_id) AS billed FROM invoices WHERE kind = 'RENEWAL'"
    )
    assert row is not None
    return row["issued"], row["billed"]


async def no_gap(owner: asyncpg.Connection) -> bool:
    row = await owner.fetchrow("SELECT count(*) AS invoices, max(sequence) AS last FROM invoices")
    assert row is not None
    return bool(row["invoices"] == row["last"])


async def test_a_night_that_is_killed_again_and_again_loses_and_doubles_nothing(many_due: asyncpg.Connection) -> None:
    for chunks in (2, 5, 1):
        working = await asyncio.create_subprocess_exec(
            sys.executable, str(KILLED), stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
        )
        assert working.stdout is not None
        for _ in range(chunks):
            await working.stdout.readline()
        working.send_signal(signal.SIGKILL)
        await working.wait()
    issued, _ = await renewals(many_due)
    assert 0 < issued < DUE
    finishing = await asyncio.create_subprocess_exec(sys.executable, str(KILLED), env=dict(os.environ))
    assert await finishing.wait() == 0
    assert await renewals(many_due) == (DUE, DUE)
    assert await no_gap(many_due)
    assert (
        await many_due.fetchval(
            "SELECT count(*) FROM invoices i WHERE kind = 'RENEWAL' AND NOT EXISTS "
            "(SELECT FROM invoice_lines l WHERE l.invoice_id = i.id)"
        )
        == 0
    )


async def test_two_schedulers_on_the_same_night_bill_once(many_due: asyncpg.Connection) -> None:
    async def all_of_it() -> None:
        while True:
            async with transaction() as session:
                if not await billing.issue_due_renewals(session, rows=13):
                    return

    await asyncio.gather(*(all_of_it() for _ in range(6)))
    await all_of_it()
    assert await renewals(many_due) == (DUE, DUE)
    assert await no_gap(many_due)


async def test_one_notification_fifty_times_at_once_pays_once(
    world: Any, owner: asyncpg.Connection, staff: Principal
) -> None:
    async with transaction(staff) as session:
        _, payment = await billing.create_subscription(
            session, staff, install_id=world.install, plan_id=world.plan, term=Term.MONTH, seats=3
        )
    await billing.open_payment(payment.id)
    raw = notification(payment.order_id, payment.amount, "RUB", PaymentStatus.CONFIRMED, GOOD_CARD)

    async def told() -> None:
        async with transaction() as session:
            await billing.receive_notification(session, "sandbox", raw, {})

    await asyncio.gather(*(told() for _ in range(50)))
    rows = await owner.fetch("SELECT id FROM outbox_messages WHERE kind = 'payment.notification'")
    assert len(rows) == 50
    await asyncio.gather(*(process(row["id"]) for row in rows))
    await run_messages(owner, "payment.notification")
    assert await owner.fetchval("SELECT count(*) FROM subscription_changes") == 1
    assert await owner.fetchval("SELECT count(*) FROM product_events WHERE type = 'subscription.activated'") == 1
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'invoice.paid'") == 1
    assert await owner.fetchval("SELECT status FROM payments") == "CONFIRMED"
    assert await violations() == []


async def test_an_install_activated_by_many_begins_once(owner: asyncpg.Connection) -> None:
    install = await an_install((await a_partner()).id, (await a_product()).product.id)

    async def activate() -> None:
        async with transaction() as session:
            await installs.activate(session, MAKER, install_id=install.id)

    await asyncio.gather(*(activate() for _ in range(12)))
    assert await owner.fetchval("SELECT count(*) FROM subscriptions") == 1
    assert await owner.fetchval("SELECT balance FROM wallets") == 1000
    assert await owner.fetchval("SELECT count(*) FROM product_events WHERE type = 'install.activated'") == 1


async def test_seats_paid_while_the_renewal_is_billed_and_charged(
    many_due: asyncpg.Connection, world: Any, staff: Principal
) -> None:
    """Notifications, the night's run and the end of periods at the same moment: no deadlock, and all holds."""
    clock.travel(clock.now() + timedelta(days=2))

    async def night() -> None:
        for work in (billing.issue_due_renewals, billing.notify_ending, billing.plan_due_charges, billing.lapse_due):
            async with transaction() as session:
                await work(session)

    await asyncio.gather(*(night() for _ in range(4)))
    assert (await renewals(many_due))[0] == DUE
