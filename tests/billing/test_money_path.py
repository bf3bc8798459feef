"""From an order to a paid subscription: forward only, once, whatever the gateway sends and in which order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import orjson
import pytest

from core import clock
from core.database import transaction
from core.principal import Principal
from domain.billing import PaymentStatus
from domain.catalog import Term
from domain.fields import InvalidValue
from gateways.interface import ForgedNotification, MalformedNotification
from gateways.sandbox.client import notification
from services import billing
from services.billing.invoices import InvoiceNotPayable, InvoiceNotVoidable
from services.billing.subscriptions import AlreadySubscribed, InvalidSeats, PlanNotOffered
from services.billing.verify import verify_billing
from workers.outbox import Outcome, process

LAST_OF_JANUARY = datetime(2027, 1, 31, 9, 0, tzinfo=UTC)


async def order(world: Any, staff: Principal, **changes: Any) -> tuple[int, int]:
    wanted = {"install_id": world.install, "plan_id": world.plan, "term": Term.MONTH, "seats": 3, **changes}
    async with transaction(staff) as session:
        invoice, payment = await billing.create_subscription(session, staff, **wanted)
        return invoice.id, payment.id


async def notify(raw: str) -> int:
    async with transaction() as session:
        return await billing.receive_notification(session, "sandbox", raw, {"Cookie": "x", "User-Agent": "bank"})


async def told(owner: asyncpg.Connection, payment: int, status: PaymentStatus, amount: str | None = None) -> str:
    row = await owner.fetchrow("SELECT order_id, amount, currency FROM payments WHERE id = $1", payment)
    return notification(row["order_id"], Decimal(amount) if amount else row["amount"], row["currency"], status)


async def run_notifications(owner: asyncpg.Connection) -> list[Outcome]:
    ids = await owner.fetch(
        "SELECT id FROM outbox_messages WHERE kind = 'payment.notification' AND status = 'PENDING' ORDER BY id"
    )
    return [await process(row["id"]) for row in ids]


async def attention(owner: asyncpg.Connection) -> list[str]:
    """What waits for a person after the worker has seen it."""
    for row in await owner.fetch("SELECT id FROM outbox_messages WHERE kind = 'payment.attention'"):
        await process(row["id"])
    return [row["error"] for row in await owner.fetch("SELECT error FROM dead_letters WHERE status = 'OPEN'")]


async def test_a_payment_makes_the_trial_a_paid_subscription(owner: Any, world: Any, staff: Principal) -> None:
    clock.travel(LAST_OF_JANUARY)
    invoice_id, payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    payment = await owner.fetchrow("SELECT * FROM payments")
    assert payment["status"] == "PENDING"
    assert payment["payment_link"].endswith(f"/sandbox/pay/{payment['order_id']}")
    await notify(await told(owner, payment_id, PaymentStatus.CONFIRMED))
    assert await owner.fetchval("SELECT status FROM payments") == "PENDING", "the worker applies it, not the request"
    assert await run_notifications(owner) == [Outcome.DONE]
    invoice = await owner.fetchrow("SELECT * FROM invoices WHERE id = $1", invoice_id)
    assert (invoice["status"], invoice["total"], invoice["number"]) == ("PAID", Decimal("300.00"), "2027-000001")
    subscription = await owner.fetchrow("SELECT * FROM subscriptions")
    assert (subscription["status"], subscription["seats"], subscription["anchor_day"]) == ("ACTIVE", 3, 31)
    assert subscription["ends_at"].date().isoformat() == "2027-02-28"
    assert await owner.fetchval("SELECT subscription_kind FROM installs") == "PAID"
    assert await owner.fetchval("SELECT subscribed_until FROM installs") == subscription["ends_at"]
    event = await owner.fetchrow("SELECT type, sequence, status FROM product_events")
    assert tuple(event) == ("subscription.activated", 1, "PENDING")
    steps = await owner.fetch("SELECT to_status FROM payment_state_changes ORDER BY id")
    assert [row[0] for row in steps] == ["NEW", "UNKNOWN", "PENDING", "CONFIRMED"]
    actions = {row[0] for row in await owner.fetch("SELECT action FROM audit_events")}
    assert {"invoice.issue", "invoice.paid", "subscription.activate"} <= actions
    assert await owner.fetchval("SELECT headers::text FROM gateway_notifications") == '{"user-agent": "bank"}'


async def test_repeats_and_late_news_move_nothing(owner: Any, world: Any, staff: Principal) -> None:
    _, payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    for status in ("CONFIRMED", "CONFIRMED", "AUTHORIZED", "REJECTED", "EXPIRED"):
        await notify(await told(owner, payment_id, PaymentStatus(status)))
    assert set(await run_notifications(owner)) == {Outcome.DONE}
    rows = await owner.fetch("SELECT status, reason FROM gateway_notifications ORDER BY id")
    assert [row["status"] for row in rows] == ["APPLIED", "IGNORED", "IGNORED", "IGNORED", "IGNORED"]
    assert await owner.fetchval("SELECT status FROM invoices") == "PAID"
    assert await owner.fetchval("SELECT count(*) FROM subscription_changes") == 1
    assert await owner.fetchval("SELECT count(*) FROM product_events") == 1


async def test_money_that_comes_after_a_refusal_counts(owner: Any, world: Any, staff: Principal) -> None:
    _, payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    await notify(await told(owner, payment_id, PaymentStatus.REJECTED))
    await run_notifications(owner)
    assert await owner.fetchval("SELECT status FROM invoices") == "FAILED"
    await notify(await told(owner, payment_id, PaymentStatus.CONFIRMED))
    await run_notifications(owner)
    assert await owner.fetchval("SELECT status FROM invoices") == "PAID"


async def test_the_same_notification_twice_at_once_pays_once(owner: Any, world: Any, staff: Principal) -> None:
    _, payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    raw = await told(owner, payment_id, PaymentStatus.CONFIRMED)
    ids = await asyncio.gather(*(notify(raw) for _ in range(5)))

    async def apply(notification_id: int) -> None:
        async with transaction() as session:
            await billing.apply_notification(session, notification_id)

    await asyncio.gather(*(apply(notification_id) for notification_id in ids))
    applied = await owner.fetchval("SELECT count(*) FROM gateway_notifications WHERE status = 'APPLIED'")
    assert applied == 1
    assert await owner.fetchval("SELECT count(*) FROM subscriptions") == 1


async def test_a_forged_notification_leaves_nothing(owner: Any, world: Any, staff: Principal) -> None:
    _, payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    genuine = orjson.loads(await told(owner, payment_id, PaymentStatus.REJECTED))
    with pytest.raises(ForgedNotification):
        await notify(orjson.dumps({**genuine, "status": "CONFIRMED"}).decode())
    for malformed in ("", "null", "[]", "{", "1", '{"orderId": 5}', orjson.dumps({**genuine, "amount": 1}).decode()):
        with pytest.raises(MalformedNotification):
            await notify(malformed)
    assert await owner.fetchval("SELECT count(*) FROM gateway_notifications") == 0


async def test_another_amount_or_an_unknown_order_is_rejected(owner: Any, world: Any, staff: Principal) -> None:
    _, payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    await notify(await told(owner, payment_id, PaymentStatus.CONFIRMED, amount="1.00"))
    await notify(notification("nobody-ordered-this", Decimal(1), "RUB", PaymentStatus.CONFIRMED))
    assert await run_notifications(owner) == [Outcome.DONE, Outcome.DONE]
    rows = await owner.fetch("SELECT status, reason FROM gateway_notifications ORDER BY id")
    assert [row["status"] for row in rows] == ["REJECTED", "REJECTED"]
    assert rows[0]["reason"] == "the amount is 1.00 instead of 300.00"
    assert await owner.fetchval("SELECT status FROM invoices") == "PENDING"
    amount, order_id = await attention(owner)
    assert "the amount is 1.00 instead of 300.00" in amount
    assert "nobody-ordered-this" in order_id, "money that came for nothing is nobody's by itself"


async def test_opening_twice_at_once_asks_the_gateway_once(owner: Any, world: Any, staff: Principal) -> None:
    _, payment_id = await order(world, staff)
    await asyncio.gather(*(billing.open_payment(payment_id) for _ in range(4)), return_exceptions=True)
    steps = await owner.fetch("SELECT to_status FROM payment_state_changes ORDER BY id")
    assert [row[0] for row in steps] == ["NEW", "UNKNOWN", "PENDING"]


async def test_a_second_order_is_refused(world: Any, staff: Principal) -> None:
    await order(world, staff)
    with pytest.raises(AlreadySubscribed, match="waits for its payment"):
        await order(world, staff)


async def test_orders_at_once_make_one_invoice_and_no_gap(owner: Any, world: Any, staff: Principal) -> None:
    results = await asyncio.gather(*(order(world, staff) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, AlreadySubscribed) for result in results) == 4
    assert [row[0] for row in await owner.fetch("SELECT sequence FROM invoices")] == [1]


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"seats": 1}, InvalidSeats), ({"seats": -3}, InvalidSeats), ({"seats": 10**9}, InvalidSeats)],
)
async def test_bad_orders_write_nothing(owner: Any, world: Any, staff: Principal, changes: Any, error: Any) -> None:
    with pytest.raises(error):
        await order(world, staff, **changes)
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 0
    assert await owner.fetchval("SELECT count(*) FROM outbox_messages") == 0


async def test_a_closed_plan_is_not_offered(owner: Any, world: Any, staff: Principal) -> None:
    await owner.execute("UPDATE plans SET active = false")
    with pytest.raises(PlanNotOffered):
        await order(world, staff)


async def test_paying_by_hand_needs_a_note_and_happens_once(owner: Any, world: Any, staff: Principal) -> None:
    invoice_id, _ = await order(world, staff)
    for note in (" ", "a\0b", "x" * 501):
        with pytest.raises(InvalidValue):
            async with transaction(staff) as session:
                await billing.mark_paid(session, staff, invoice_id=invoice_id, note=note)
    async with transaction(staff) as session:
        await billing.mark_paid(session, staff, invoice_id=invoice_id, note="bank transfer 17")
    with pytest.raises(InvoiceNotPayable):
        async with transaction(staff) as session:
            await billing.mark_paid(session, staff, invoice_id=invoice_id, note="bank transfer 17")
    assert await owner.fetchval("SELECT status FROM subscriptions") == "ACTIVE"
    assert await owner.fetchval("SELECT count(*) FROM payments WHERE method = 'MANUAL'") == 1


async def test_money_for_a_cancelled_invoice_is_put_on_record(owner: Any, world: Any, staff: Principal) -> None:
    invoice_id, payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    async with transaction(staff) as session:
        await billing.cancel_invoice(session, staff, invoice_id=invoice_id)
    with pytest.raises(InvoiceNotVoidable):
        async with transaction(staff) as session:
            await billing.cancel_invoice(session, staff, invoice_id=invoice_id)
    await notify(await told(owner, payment_id, PaymentStatus.CONFIRMED))
    await run_notifications(owner)
    assert await owner.fetchval("SELECT status FROM invoices") == "CANCELED"
    assert await owner.fetchval("SELECT status FROM payments") == "CONFIRMED"
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'payment.surplus'") == 1
    assert await owner.fetchval("SELECT count(*) FROM subscriptions") == 0
    (letter,) = await attention(owner)
    assert "which is CANCELED" in letter


async def test_a_bill_paid_by_hand_closes_its_link(owner: Any, world: Any, staff: Principal) -> None:
    invoice_id, payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    async with transaction(staff) as session:
        await billing.mark_paid(session, staff, invoice_id=invoice_id, note="bank transfer")
    for _ in range(2):
        await billing.close_payment(payment_id)
    assert await owner.fetchval("SELECT status FROM payments WHERE id = $1", payment_id) == "CANCELED"
    assert await owner.fetchval("SELECT status FROM invoices") == "PAID"


async def test_a_link_that_nobody_opened_is_not_opened_for_a_withdrawn_bill(
    owner: Any, world: Any, staff: Principal
) -> None:
    invoice_id, payment_id = await order(world, staff)
    async with transaction(staff) as session:
        await billing.cancel_invoice(session, staff, invoice_id=invoice_id)
    for verb in (billing.close_payment, billing.open_payment, billing.close_payment):
        await verb(payment_id)
    assert tuple(await owner.fetchrow("SELECT status, payment_link FROM payments")) == ("CANCELED", None)


@pytest.mark.parametrize("seats", [3, 8])
async def test_an_old_order_paid_late_takes_nothing_away(owner: Any, world: Any, staff: Principal, seats: int) -> None:
    clock.travel(LAST_OF_JANUARY)
    first, _ = await order(world, staff)
    async with transaction(staff) as session:
        await billing.mark_paid(session, staff, invoice_id=first, note="paid")
    key = await owner.fetchval("UPDATE subscriptions SET status = 'EXPIRED' RETURNING id")
    late, _ = await order(world, staff, seats=seats)
    async with transaction(staff) as session:
        await billing.extend_subscription(
            session, staff, subscription_id=key, version=1, by=billing.Extension(months=1), note="by transfer"
        )
        await billing.mark_paid(session, staff, invoice_id=late, note="paid")
    found = await owner.fetchrow("SELECT seats, ends_at, status FROM subscriptions")
    # Eight seats' money, 800, is two months of three seats and, of the 31 days to 31 May, two thirds.
    months_on = datetime(2027, 3, 31, 9, tzinfo=UTC) if seats == 3 else datetime(2027, 5, 21, 9, tzinfo=UTC)
    assert (found["seats"], found["status"]) == (3, "ACTIVE")
    assert abs(found["ends_at"] - months_on) < timedelta(minutes=1)
    async with transaction() as session:
        assert await verify_billing(session) == []


async def test_a_working_link_is_kept_and_an_expired_one_replaced(owner: Any, world: Any, staff: Principal) -> None:
    invoice_id, payment_id = await order(world, staff)
    await billing.open_payment(payment_id)

    async def refresh() -> int:
        async with transaction(staff) as session:
            return (await billing.refresh_payment_link(session, staff, invoice_id=invoice_id)).id

    assert await refresh() == payment_id
    await owner.execute("UPDATE payments SET link_expires_at = now() - interval '1 minute'")
    assert await refresh() != payment_id


async def test_a_partner_refreshes_its_own_link_and_nobody_elses(owner: Any, world: Any, staff: Principal) -> None:
    from core.errors import NotFound

    invoice_id, payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    await owner.execute("UPDATE payments SET link_expires_at = now() - interval '1 minute'")
    other = await owner.fetchval("INSERT INTO partners (name) VALUES ('Other') RETURNING id")
    for partner_id, expected in ((other, NotFound), (world.partner, None)):
        partner = Principal(kind="partner", partner_id=partner_id, permissions=frozenset({"invoice:pay"}))
        if expected is None:
            async with transaction(partner) as session:
                fresh = await billing.refresh_payment_link(session, partner, invoice_id=invoice_id)
            assert fresh.id != payment_id
        else:
            with pytest.raises(expected):
                async with transaction(partner) as session:
                    await billing.refresh_payment_link(session, partner, invoice_id=invoice_id)
