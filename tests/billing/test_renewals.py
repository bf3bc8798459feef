"""Renewals: one invoice a period, charged on the published days, then grace, then the end (SUB-4)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import clock, tracing
from core.database import transaction
from core.principal import Principal
from core.settings import Settings, get_settings
from domain.billing import PaymentStatus
from domain.periods import period_end
from domain.renewals import next_charge
from gateways.interface import GatewayState, GatewayUnanswered
from gateways.sandbox.client import EMPTY_CARD, LOST_CARD, SandboxGateway
from services import billing
from services.billing import charging
from services.billing.invoices import InvoiceNotPayable
from services.billing.locks import live_subscription
from services.billing.orders import RENEWALS, withdraw
from services.billing.payments import apply_state
from services.billing.renewals import PERIOD_END
from tests.billing.renewing import DAY, END, START, events, night, run_messages, state, subscribe

MOSCOW = ZoneInfo("Europe/Moscow")


async def test_a_stored_card_renews_and_the_anchor_stays(owner: Any, world: Any, staff: Principal) -> None:
    await subscribe(owner, world, staff)
    await night(owner, END - 8 * DAY)
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 1, "it is too early"
    await night(owner, END - 6 * DAY)
    await night(owner, END - 5 * DAY)
    renewal = await owner.fetchrow("SELECT * FROM invoices WHERE kind = 'RENEWAL'")
    assert (renewal["number"], renewal["status"], renewal["total"]) == ("2027-000002", "PENDING", Decimal("300.00"))
    assert (renewal["period_start"], renewal["due_at"]) == (END, END)
    line = await owner.fetchrow("SELECT * FROM invoice_lines WHERE invoice_id = $1", renewal["id"])
    assert (line["description"], line["quantity"], line["amount"]) == ("Basic, 1 × 3", 3, Decimal("300.00"))
    await night(owner, END + timedelta(minutes=1))
    assert await state(owner) == ("ACTIVE", "PAID")
    ends_at = await owner.fetchval("SELECT ends_at FROM subscriptions")
    assert ends_at == datetime(2027, 3, 31, 9, 0, tzinfo=UTC)
    assert await owner.fetchval("SELECT subscribed_until FROM installs") == ends_at
    assert await events(owner) == [
        "subscription.activated",
        "invoice.created",
        "subscription.ending",
        "subscription.renewed",
    ]
    payment = await owner.fetchrow("SELECT * FROM payments ORDER BY id DESC LIMIT 1")
    assert (payment["method"], payment["status"]) == ("RECURRING", "CONFIRMED")


async def test_messages_written_by_the_set_carry_the_trace(
    owner: Any, world: Any, staff: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await subscribe(owner, world, staff, EMPTY_CARD)
    await owner.execute("DELETE FROM outbox_messages")
    here = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    monkeypatch.setattr(tracing, "traceparent", lambda: here)
    for moment in (END - DAY, END + timedelta(minutes=1), END + 6 * DAY, END + 20 * DAY):
        await night(owner, moment)
    written = await owner.fetch("SELECT DISTINCT kind, traceparent FROM outbox_messages")
    assert {row["kind"] for row in written} == {"event.deliver", "invoice.charge"}
    assert {row["traceparent"] for row in written} == {here}


async def test_an_empty_card_is_tried_on_the_published_days_and_grace_follows(
    owner: Any, world: Any, staff: Principal
) -> None:
    await subscribe(owner, world, staff, EMPTY_CARD)
    await night(owner, END - DAY)
    tries = []
    for hour in range(24 * 12):
        moment = END + timedelta(hours=hour, minutes=1)
        before = await owner.fetchval("SELECT count(*) FROM payments")
        await night(owner, moment)
        if await owner.fetchval("SELECT count(*) FROM payments") > before:
            tries.append((moment - END).days)
        if hour == 24 * 5 + 1:
            assert await state(owner) == ("PAST_DUE", "FAILED")
            assert await owner.fetchval("SELECT subscription_kind FROM installs") == "PAID", "access is kept"
    assert tries == [0, 1, 3, 5]
    assert await state(owner) == ("EXPIRED", "FAILED")
    assert await owner.fetchval("SELECT subscription_kind FROM installs") == "NONE"
    told = await events(owner)
    assert told.count("invoice.payment_failed") == 4
    assert told[-2:] == ["subscription.past_due", "subscription.expired"]


async def test_a_lost_card_is_never_tried_again(owner: Any, world: Any, staff: Principal) -> None:
    await subscribe(owner, world, staff, LOST_CARD)
    await night(owner, END - DAY)
    for day in range(3):
        await night(owner, END + day * DAY + timedelta(minutes=1))
    assert await owner.fetchval("SELECT count(*) FROM payments WHERE method = 'RECURRING'") == 1
    assert await owner.fetchval("SELECT rebill_id_encrypted FROM subscriptions") is None
    assert (await state(owner))[0] == "PAST_DUE"


async def test_without_a_card_the_invoice_waits_for_money_and_a_late_payment_keeps_the_anchor(
    owner: Any, world: Any, staff: Principal
) -> None:
    await subscribe(owner, world, staff, None)
    await night(owner, END - DAY)
    await night(owner, END + timedelta(minutes=1))
    assert await state(owner) == ("PAST_DUE", "PENDING")
    clock.travel(END + 2 * DAY)
    invoice = await owner.fetchval("SELECT id FROM invoices WHERE kind = 'RENEWAL'")
    async with transaction(staff) as session:
        await billing.mark_paid(session, staff, invoice_id=invoice, note="bank transfer")
    assert await state(owner) == ("ACTIVE", "PAID")
    assert await owner.fetchval("SELECT ends_at FROM subscriptions") == datetime(2027, 3, 31, 9, 0, tzinfo=UTC)


async def test_money_after_the_end_buys_a_new_period_from_now(owner: Any, world: Any, staff: Principal) -> None:
    await subscribe(owner, world, staff, None)
    await night(owner, END - DAY)
    for day in range(6):
        await night(owner, END + day * DAY + timedelta(minutes=1))
    assert await state(owner) == ("EXPIRED", "PENDING")
    paid_at = END + 20 * DAY
    clock.travel(paid_at)
    invoice = await owner.fetchval("SELECT id FROM invoices WHERE kind = 'RENEWAL'")
    async with transaction(staff) as session:
        await billing.mark_paid(session, staff, invoice_id=invoice, note="bank transfer")
    row = await owner.fetchrow("SELECT * FROM subscriptions WHERE status = 'ACTIVE'")
    assert row["starts_at"] - paid_at < timedelta(minutes=1)
    assert row["anchor_day"] == 20


async def test_what_waits_for_the_renewal_is_billed_and_takes_effect(owner: Any, world: Any, staff: Principal) -> None:
    key = await subscribe(owner, world, staff)
    await owner.execute("UPDATE subscriptions SET pending_seats = 2, pending_unit_price = 90.5 WHERE id = $1", key)
    await night(owner, END - DAY)
    await night(owner, END + timedelta(minutes=1))
    row = await owner.fetchrow("SELECT seats, unit_price, pending_seats, pending_unit_price FROM subscriptions")
    assert tuple(row) == (2, Decimal("90.50"), None, None)
    assert await owner.fetchval("SELECT total FROM invoices WHERE kind = 'RENEWAL'") == Decimal("181.00")


async def test_paused_and_cancelled_ones_are_not_billed(owner: Any, world: Any, staff: Principal) -> None:
    key = await subscribe(owner, world, staff)
    await owner.execute("UPDATE subscriptions SET paused_at = $1 WHERE id = $2", START + DAY, key)
    await night(owner, END + DAY)
    assert await state(owner) == ("ACTIVE", "PAID")
    await owner.execute("UPDATE subscriptions SET paused_at = NULL, cancel_at_period_end = true WHERE id = $1", key)
    await night(owner, END + DAY)
    assert await state(owner) == ("CANCELED", "PAID")
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 1
    assert (await events(owner))[-1] == "subscription.canceled"


async def test_a_free_renewal_needs_no_card(owner: Any, world: Any, staff: Principal) -> None:
    key = await subscribe(owner, world, staff, None)
    await owner.execute("UPDATE subscriptions SET unit_price = 0 WHERE id = $1", key)
    await night(owner, END - DAY)
    await night(owner, END + timedelta(minutes=1))
    assert await state(owner) == ("ACTIVE", "PAID")
    assert await owner.fetchval("SELECT count(*) FROM payments") == 1


async def test_a_withdrawn_renewal_is_billed_anew(owner: Any, world: Any, staff: Principal) -> None:
    await subscribe(owner, world, staff)
    await night(owner, END - DAY)
    async with transaction(staff) as session:
        live = await live_subscription(session, world.install)
        assert live is not None
        await withdraw(session, staff, live, RENEWALS, "the price changes")
        live.unit_price = Decimal(200)
    await night(owner, END - DAY)
    rows = await owner.fetch("SELECT status, total FROM invoices WHERE kind = 'RENEWAL' ORDER BY id")
    assert [tuple(row) for row in rows] == [("CANCELED", Decimal("300.00")), ("PENDING", Decimal("600.00"))]


async def test_a_lost_answer_is_asked_about_and_never_charged_again(
    owner: Any, world: Any, staff: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await subscribe(owner, world, staff)
    await night(owner, END - DAY)
    charges = []

    async def lost(_self: SandboxGateway, gateway_payment_id: str, _rebill_id: str) -> None:
        charges.append(gateway_payment_id)
        raise GatewayUnanswered("time is up")

    monkeypatch.setattr(SandboxGateway, "charge", lost)
    await night(owner, END + timedelta(minutes=1))
    assert await state(owner) == ("ACTIVE", "CHARGING")
    payment = await owner.fetchrow("SELECT id, status FROM payments WHERE method = 'RECURRING'")
    assert payment["status"] == "UNKNOWN"
    async with transaction(staff) as session:
        live = await live_subscription(session, world.install)
        assert live is not None
        assert await withdraw(session, staff, live, RENEWALS, "too late") == []
    clock.travel(END + timedelta(minutes=3))
    await billing.repair_payment(payment["id"])
    assert await state(owner) == ("ACTIVE", "CHARGING"), "the gateway does not know yet"
    # A link that ends beside the charge does not open the invoice to a second payment.
    link = await owner.fetchval(
        "INSERT INTO payments (partner_id, invoice_id, gateway, status, order_id, amount, currency) "
        "SELECT partner_id, invoice_id, gateway, 'PENDING', 'link', amount, currency FROM payments WHERE id = $1 RETURNING id",
        payment["id"],
    )
    ended = GatewayState(status=PaymentStatus.EXPIRED, gateway_status="DEADLINE_EXPIRED")
    await apply_state(link, ended, source="test")
    assert await state(owner) == ("ACTIVE", "CHARGING")
    with pytest.raises(InvoiceNotPayable):
        async with transaction(staff) as session:
            renewal = await owner.fetchval("SELECT id FROM invoices WHERE kind = 'RENEWAL'")
            await billing.refresh_payment_link(session, staff, invoice_id=renewal)
    clock.travel(END + charging.LOST_AFTER + timedelta(minutes=5))
    await billing.repair_payment(payment["id"])
    assert len(charges) == 1
    assert await owner.fetchval("SELECT status FROM payments WHERE id = $1", payment["id"]) != "UNKNOWN"


async def test_who_is_paying_by_the_link_is_not_charged_beside(owner: Any, world: Any, staff: Principal) -> None:
    await subscribe(owner, world, staff)
    await night(owner, END - DAY)
    invoice = await owner.fetchval("SELECT id FROM invoices WHERE kind = 'RENEWAL'")
    clock.travel(END - timedelta(minutes=5))
    async with transaction(staff) as session:
        payment = await billing.refresh_payment_link(session, staff, invoice_id=invoice)
    await billing.open_payment(payment.id)
    await night(owner, END + timedelta(minutes=1))
    assert await owner.fetchval("SELECT count(*) FROM payments WHERE method = 'RECURRING'") == 0
    assert await state(owner) == ("ACTIVE", "PENDING")
    await owner.execute("UPDATE payments SET status = 'EXPIRED' WHERE id = $1", payment.id)
    await night(owner, END + DAY + timedelta(minutes=1))
    assert await state(owner) == ("ACTIVE", "PAID")


async def test_fresh_links_do_not_put_the_end_off_for_ever(owner: Any, world: Any, staff: Principal) -> None:
    await subscribe(owner, world, staff)
    await night(owner, END - DAY)
    invoice = await owner.fetchval("SELECT id FROM invoices WHERE kind = 'RENEWAL'")
    for day in range(12):
        clock.travel(END + day * DAY)
        async with transaction(staff) as session:
            payment = await billing.refresh_payment_link(session, staff, invoice_id=invoice)
        if payment.status == "NEW":
            await billing.open_payment(payment.id)
        await night(owner, END + day * DAY + timedelta(minutes=1))
    assert await state(owner) == ("EXPIRED", "PENDING")
    assert await owner.fetchval("SELECT count(*) FROM payments WHERE method = 'RECURRING'") == 0


async def test_numbers_go_on_beyond_six_digits(owner: Any, world: Any, staff: Principal) -> None:
    await subscribe(owner, world, staff)
    await owner.execute("UPDATE invoice_counters SET last_sequence = 1000233")
    await night(owner, END - DAY)
    assert await owner.fetchval("SELECT number FROM invoices WHERE kind = 'RENEWAL'") == "2027-1000234"


async def test_two_runs_at_once_make_one_invoice_and_one_charge(owner: Any, world: Any, staff: Principal) -> None:
    await subscribe(owner, world, staff)

    async def run(work: Any) -> int:
        async with transaction() as session:
            done: int = await work(session)
            return done

    clock.travel(END - DAY)
    assert sum(await asyncio.gather(*[run(billing.issue_due_renewals) for _ in range(8)])) == 1
    clock.travel(END + timedelta(minutes=1))
    assert sum(await asyncio.gather(*[run(billing.plan_due_charges) for _ in range(8)])) == 1
    invoice = await owner.fetchval("SELECT id FROM invoices WHERE kind = 'RENEWAL'")
    await asyncio.gather(*[billing.charge_invoice(invoice) for _ in range(8)], return_exceptions=True)
    await asyncio.gather(*[run(billing.lapse_due) for _ in range(8)])
    assert await owner.fetchval("SELECT count(*) FROM payments WHERE method = 'RECURRING'") == 1
    assert await state(owner) == ("ACTIVE", "PAID")


async def test_a_charge_that_was_not_sent_is_called_off_where_the_money_came_otherwise(
    owner: Any, world: Any, staff: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await subscribe(owner, world, staff)
    await night(owner, END - DAY)

    async def unreachable(*_: Any) -> Any:
        raise GatewayUnanswered("the line is dead")

    with monkeypatch.context() as broken:
        broken.setattr(SandboxGateway, "open", unreachable)
        await night(owner, END + timedelta(minutes=1))
    assert await state(owner) == ("ACTIVE", "CHARGING")
    renewal = await owner.fetchval("SELECT id FROM invoices WHERE kind = 'RENEWAL'")
    async with transaction(staff) as session:
        await billing.mark_paid(session, staff, invoice_id=renewal, note="bank transfer")
    clock.travel(END + timedelta(minutes=5))
    await billing.repair_payment(await owner.fetchval("SELECT id FROM payments WHERE method = 'RECURRING'"))
    charge = await owner.fetchrow("SELECT status, error_code FROM payments WHERE method = 'RECURRING'")
    assert tuple(charge) == ("REJECTED", "NOT_NEEDED")
    assert await state(owner) == ("ACTIVE", "PAID")
    assert await owner.fetchval("SELECT count(*) FROM outbox_messages WHERE kind = 'payment.attention'") == 0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE subscriptions SET auto_renew = false",
        "UPDATE installs SET status = 'DISABLED'",
        "UPDATE partners SET status = 'BLOCKED'",
    ],
)
async def test_a_charge_that_was_not_sent_is_called_off_by_whatever_stops_renewals(
    owner: Any, world: Any, staff: Principal, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    await subscribe(owner, world, staff)
    await night(owner, END - DAY)

    async def unreachable(*_: Any) -> Any:
        raise GatewayUnanswered("the line is dead")

    with monkeypatch.context() as broken:
        broken.setattr(SandboxGateway, "open", unreachable)
        await night(owner, END + timedelta(minutes=1))
    assert await state(owner) == ("ACTIVE", "CHARGING")
    await owner.execute(change)
    clock.travel(END + timedelta(minutes=5))
    await billing.repair_payment(await owner.fetchval("SELECT id FROM payments WHERE method = 'RECURRING'"))
    charge = await owner.fetchrow("SELECT status, error_code FROM payments WHERE method = 'RECURRING'")
    assert tuple(charge) == ("REJECTED", "NOT_NEEDED")
    assert await state(owner) == ("ACTIVE", "FAILED")


async def test_a_partner_blocked_after_the_charge_was_planned_is_not_charged(
    owner: Any, world: Any, staff: Principal
) -> None:
    await subscribe(owner, world, staff)
    await night(owner, END - DAY)
    clock.travel(END + timedelta(minutes=1))
    async with transaction() as session:
        assert await billing.plan_due_charges(session) == 1
    await owner.execute("UPDATE partners SET status = 'BLOCKED'")
    assert await run_messages(owner, "invoice.charge") == 1
    assert await owner.fetchval("SELECT count(*) FROM payments WHERE method = 'RECURRING'") == 0
    await owner.execute("UPDATE partners SET status = 'ACTIVE'")
    await night(owner, END + timedelta(minutes=2))
    assert await state(owner) == ("ACTIVE", "PAID")


async def test_a_trial_ends_by_itself(owner: Any, world: Any) -> None:
    await owner.execute(
        """
        INSERT INTO subscriptions (partner_id, install_id, product_id, term, status, seats, unit_price, currency,
            starts_at, ends_at, anchor_day)
        VALUES ($1, $2, (SELECT product_id FROM installs WHERE id = $2), 'MONTH', 'TRIAL', 5, 0, 'RUB', $3, $4, 1)
        """,
        world.partner,
        world.install,
        START,
        END,
    )
    await night(owner, END - timedelta(minutes=1))
    assert await owner.fetchval("SELECT status FROM subscriptions") == "TRIAL"
    await night(owner, END + timedelta(minutes=1))
    assert await owner.fetchval("SELECT status FROM subscriptions") == "EXPIRED"
    assert await events(owner) == ["subscription.ending", "subscription.expired"]


@given(start=st.integers(0, 400).map(lambda days: START + days * DAY), days=st.sets(st.integers(0, 60), min_size=1))
def test_charges_follow_each_other_and_end(start: datetime, days: set[int]) -> None:
    moments, after = [], start - DAY
    while (moment := next_charge(start, sorted(days), after)) is not None:
        moments.append(moment)
        after = moment
    assert moments == [start + timedelta(days=day) for day in sorted(days)]


async def test_periods_end_in_sql_as_in_the_rule(owner: Any) -> None:
    starts = [
        datetime(year, month, day, hour, 30, 1, 5, tzinfo=UTC)
        for year in (2027, 2028)
        for month in range(1, 13)
        for day in (1, 28)
        for hour in (0, 12, 21, 23)
    ]
    cases = [(start, months, anchor) for start in starts for months in (1, 6, 12) for anchor in (1, 28, 29, 30, 31)]
    sql = PERIOD_END.format(local="local", months="months", anchor="anchor", zone="'Europe/Moscow'")
    rows = await owner.fetch(
        f"""
        SELECT {sql} FROM (
            SELECT ordinality, start AT TIME ZONE 'Europe/Moscow' AS local, months, anchor
            FROM unnest($1::timestamptz[], $2::int[], $3::int[]) WITH ORDINALITY AS t (start, months, anchor)
        ) AS given ORDER BY ordinality
        """,
        *[list(column) for column in zip(*cases, strict=True)],
    )
    assert [row[0] for row in rows] == [period_end(*case, MOSCOW) for case in cases]


@pytest.mark.parametrize("days", ["", "3,1", "0,0", "-1,2", "soon"])
def test_wrong_schedules_are_refused_at_the_start(days: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONTORA_CHARGE_DAYS", days)
    with pytest.raises(ValueError, match="charge_days"):
        Settings()
    monkeypatch.setenv("KONTORA_CHARGE_DAYS", "0, 2,7")
    assert Settings().charge_days == (0, 2, 7)
    monkeypatch.setenv("KONTORA_LEGAL_ENTITY_TIMEZONE", "Europe/Moskva")
    with pytest.raises(ValueError, match="not a time zone"):
        Settings()
    get_settings.cache_clear()
