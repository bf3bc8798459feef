"""Money given back: once, in full or part, with coins and subscriptions, whatever the gateway does (INV-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from core import clock
from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from domain.billing import PaymentStatus
from domain.catalog import Term
from gateways.interface import GatewayRefused, GatewayState, GatewayUnanswered
from gateways.sandbox.client import GOOD_CARD, SandboxGateway, notification
from policies.roles import ROLES
from services import billing
from services.billing.verify import verify_billing
from tests.api import payload, run
from tests.billing.conftest import STAFF
from tests.billing.renewing import A_MINUTE, DAY, END, night, run_messages, subscribe

REFUND = """
mutation($input: PaymentRefundInput!) { paymentRefund(input: $input) {
  refund { id status amount { amount } } payment { status refundedAmount { amount } } userErrors { code message field } } }
"""
PREVIEW = """
query($id: ID!) { paymentPreviewRefund(paymentId: $id) {
  refundable { amount } withCoinsTakenBack { amount } endsSubscription } }
"""


class Bank:
    """What the gateway gave back, by key; it can lose its answer or refuse.

    Parameters:
        lose_answers: how many of the next answers are lost after the money went.
    """

    def __init__(self) -> None:
        self.given: dict[str, Decimal] = {}
        self.calls = 0
        self.lose_answers = 0
        self.refuse = False

    async def cancel(self, gateway_payment_id: str, amount: Decimal, key: str) -> GatewayState:
        self.calls += 1
        if self.refuse:
            raise GatewayRefused("no", "501")
        self.given.setdefault(key, amount)
        if self.lose_answers:
            self.lose_answers -= 1
            raise GatewayUnanswered("the line is dead")
        return GatewayState(status=PaymentStatus.PARTIALLY_REFUNDED, gateway_status="PARTIAL_REFUNDED", amount=amount)


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bank]:
    """The sandbox gateway with a memory."""
    made = Bank()
    monkeypatch.setattr(
        SandboxGateway, "cancel", lambda _self, payment_id, amount, key, _receipt: made.cancel(payment_id, amount, key)
    )
    return made


@pytest.fixture
async def payment(world: Any, owner: asyncpg.Connection, staff: Principal) -> str:
    """The id of a payment of 300 RUB for a month."""
    await subscribe(owner, world, staff, GOOD_CARD)
    return encode_id("Payment", await owner.fetchval("SELECT id FROM payments"))


async def refund(payment: str, key: str = "k", who: Principal = STAFF, **more: Any) -> dict[str, Any]:
    return await payload(REFUND, who, input={"paymentId": payment, "reason": "Asked", "idempotencyKey": key, **more})


async def books(owner: asyncpg.Connection) -> tuple[str, Decimal, str]:
    row = await owner.fetchrow(
        "SELECT p.status, p.refunded_amount, i.status AS invoice FROM payments p JOIN invoices i ON i.id = p.invoice_id"
    )
    assert row is not None
    return row["status"], row["refunded_amount"], row["invoice"]


async def told(owner: asyncpg.Connection, kind: str) -> int:
    found: int = await owner.fetchval("SELECT count(*) FROM product_events WHERE type = $1", kind)
    return found


async def test_parts_and_the_rest(payment: str, owner: asyncpg.Connection, bank: Bank) -> None:
    assert await payload(PREVIEW, id=payment) == {
        "refundable": {"amount": "300.00"},
        "withCoinsTakenBack": None,
        "endsSubscription": True,
    }
    part = await refund(payment, "a", amount="100.50")
    assert part["userErrors"] == []
    assert part["refund"]["status"] == "SUCCEEDED"
    assert part["payment"] == {"status": "PARTIALLY_REFUNDED", "refundedAmount": {"amount": "100.50"}}
    assert await books(owner) == ("PARTIALLY_REFUNDED", Decimal("100.50"), "PARTIALLY_REFUNDED")
    # The same key is the same refund.
    assert (await refund(payment, "a", amount="100.50"))["refund"]["id"] == part["refund"]["id"]
    too_much = await refund(payment, "b", amount="199.51")
    assert too_much["userErrors"][0]["code"] == "REFUND_EXCEEDS_PAYMENT"
    assert "199.50" in too_much["userErrors"][0]["message"]
    assert (await refund(payment, "c"))["refund"]["amount"] == {"amount": "199.50"}
    assert await books(owner) == ("REFUNDED", Decimal("300.00"), "REFUNDED")
    assert (await refund(payment, "d"))["userErrors"][0]["code"] == "PAYMENT_NOT_REFUNDABLE"
    assert sum(bank.given.values()) == 300
    assert await told(owner, "invoice.refunded") == 2
    assert await owner.fetchval("SELECT status FROM subscriptions") == "ACTIVE"


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"amount": "0"}, "INVALID_AMOUNT", "amount"),
        ({"amount": "-1"}, "INVALID_AMOUNT", "amount"),
        ({"amount": "1.001"}, "INVALID_AMOUNT", "amount"),
        ({"reason": " "}, "INVALID_VALUE", "reason"),
        ({"paymentId": encode_id("Payment", 999)}, "NOT_FOUND", "paymentId"),
    ],
)
async def test_refusals_name_their_field_and_give_nothing(
    payment: str, owner: asyncpg.Connection, bank: Bank, values: dict[str, str], code: str, field: str
) -> None:
    made = await payload(REFUND, input={"paymentId": payment, "reason": "x", "idempotencyKey": "k", **values})
    assert [(error["code"], error["field"]) for error in made["userErrors"]] == [(code, ["input", field])]
    assert await owner.fetchval("SELECT count(*) FROM refunds") == 0
    assert bank.calls == 0


async def test_a_dry_run_gives_nothing(payment: str, owner: asyncpg.Connection, bank: Bank) -> None:
    dry = await refund(payment, dryRun=True, amount="10")
    assert dry["refund"]["status"] == "PENDING"
    assert (bank.calls, await owner.fetchval("SELECT count(*) FROM refunds")) == (0, 0)


async def test_partners_and_support_give_nothing(payment: str, world: Any) -> None:
    for role in ("PARTNER_OWNER", "SUPPORT", "AUDITOR"):
        partner = world.partner if role == "PARTNER_OWNER" else None
        kind: Any = "partner" if partner else "staff"
        who = Principal(kind=kind, partner_id=partner, permissions=ROLES[role][1])
        answer = await run(REFUND, who, input={"paymentId": payment, "reason": "x", "idempotencyKey": "k"})
        assert answer["errors"], role


async def test_a_lost_answer_gives_nothing_twice(payment: str, owner: asyncpg.Connection, bank: Bank) -> None:
    bank.lose_answers = 1
    made = await refund(payment, amount="50")
    assert made["refund"]["status"] == "UNKNOWN"
    assert (await refund(payment, "other"))["userErrors"][0]["code"] == "PAYMENT_NOT_REFUNDABLE"
    await run_messages(owner, "refund.send")
    assert bank.calls == 1, "the first call may still be under way"
    clock.travel(clock.now() + timedelta(minutes=2))
    async with transaction() as session:
        assert await billing.ask_for_open_refunds(session, 10) == 1
        assert await billing.ask_for_open_refunds(session, 10) == 0
    await run_messages(owner, "refund.send")
    assert (bank.calls, list(bank.given.values())) == (2, [Decimal("50.00")])
    assert await books(owner) == ("PARTIALLY_REFUNDED", Decimal("50.00"), "PARTIALLY_REFUNDED")


async def test_many_senders_book_once(payment: str, owner: asyncpg.Connection, bank: Bank) -> None:
    bank.lose_answers = 1
    await refund(payment, amount="50")
    clock.travel(clock.now() + timedelta(minutes=2))
    key = await owner.fetchval("SELECT id FROM refunds")
    await asyncio.gather(*(billing.send_refund(key) for _ in range(8)))
    assert await books(owner) == ("PARTIALLY_REFUNDED", Decimal("50.00"), "PARTIALLY_REFUNDED")
    assert await told(owner, "invoice.refunded") == 1


async def test_a_refusal_fails_and_another_try_is_free(payment: str, owner: asyncpg.Connection, bank: Bank) -> None:
    bank.refuse = True
    made = await refund(payment, amount="50")
    assert made["refund"]["status"] == "FAILED"
    assert await books(owner) == ("CONFIRMED", Decimal(0), "PAID")
    bank.refuse = False
    assert (await refund(payment, "again", amount="50"))["refund"]["status"] == "SUCCEEDED"


async def test_the_subscription_ends_with_the_money_where_told_to(
    payment: str, owner: asyncpg.Connection, bank: Bank
) -> None:
    made = await refund(payment, subscription="END_NOW")
    assert made["refund"]["status"] == "SUCCEEDED"
    row = await owner.fetchrow("SELECT status, worth FROM subscriptions")
    assert row is not None
    assert tuple(row) == ("CANCELED", 0)
    assert await told(owner, "subscription.canceled") == 1
    assert await owner.fetchval("SELECT subscription_kind FROM installs") == "NONE"


async def test_refunded_money_is_no_credit(payment: str, owner: asyncpg.Connection, bank: Bank) -> None:
    before = await owner.fetchval("SELECT worth FROM subscriptions")
    await refund(payment, amount="100")
    after = await owner.fetchval("SELECT worth FROM subscriptions")
    assert before == 300
    assert 199 <= after <= 200


async def test_paid_by_hand_is_given_back_by_hand(world: Any, owner: asyncpg.Connection, bank: Bank) -> None:
    async with transaction() as session:
        invoice, _ = await billing.create_subscription(
            session, STAFF, install_id=world.install, plan_id=world.plan, term=Term.MONTH, seats=3
        )
        paid = await billing.mark_paid(session, STAFF, invoice_id=invoice.id, note="bank")
    made = await refund(encode_id("Payment", paid.id), amount="100")
    assert made["refund"]["status"] == "SUCCEEDED"
    assert bank.calls == 0


async def test_a_notification_and_our_answer_book_once(payment: str, owner: asyncpg.Connection, bank: Bank) -> None:
    """The gateway's word may come before, after or without our own answer."""
    bank.lose_answers = 1
    await refund(payment, amount="300")
    order_id = await owner.fetchval("SELECT order_id FROM payments")
    raw = notification(order_id, Decimal("300.00"), "RUB", PaymentStatus.REFUNDED)
    for _ in range(5):
        async with transaction() as session:
            await billing.receive_notification(session, "sandbox", raw, {})
    clock.travel(clock.now() + timedelta(minutes=2))
    key = await owner.fetchval("SELECT id FROM refunds")
    await asyncio.gather(run_messages(owner, "payment.notification"), billing.send_refund(key))
    assert await books(owner) == ("REFUNDED", Decimal("300.00"), "REFUNDED")
    assert await owner.fetchval("SELECT count(*) FROM refunds") == 1
    assert await told(owner, "invoice.refunded") == 1


async def test_a_refund_made_at_the_gateway_is_booked(payment: str, owner: asyncpg.Connection, bank: Bank) -> None:
    order_id = await owner.fetchval("SELECT order_id FROM payments")
    async with transaction() as session:
        raw = notification(order_id, Decimal("120.00"), "RUB", PaymentStatus.PARTIALLY_REFUNDED)
        await billing.receive_notification(session, "sandbox", raw, {})
    await run_messages(owner, "payment.notification")
    made = await owner.fetchrow("SELECT status, amount, reason, requested_by_user_id FROM refunds")
    assert made is not None
    assert tuple(made) == ("SUCCEEDED", Decimal("120.00"), "Refunded at the gateway", None)
    assert (await refund(payment))["refund"]["amount"] == {"amount": "180.00"}
    assert await books(owner) == ("REFUNDED", Decimal("300.00"), "REFUNDED")


async def test_money_of_a_month_that_is_over_is_no_credit_and_takes_none_away(
    owner: asyncpg.Connection, world: Any, staff: Principal
) -> None:
    await subscribe(owner, world, staff)
    first = await owner.fetchval("SELECT id FROM payments")
    await owner.execute("UPDATE invoices SET period_end = $1", END)
    await night(owner, END - DAY)
    await night(owner, END + A_MINUTE)
    clock.travel(END + 2 * A_MINUTE)
    worth = await owner.fetchval("SELECT worth FROM subscriptions")
    assert worth == 300
    assert (await refund(encode_id("Payment", first), "old"))["refund"]["status"] == "SUCCEEDED"
    assert await owner.fetchval("SELECT worth FROM subscriptions") == worth, "the new month was paid by other money"
    second = await owner.fetchval("SELECT max(id) FROM payments")
    assert (await refund(encode_id("Payment", second), "new", amount="100"))["refund"]["status"] == "SUCCEEDED"
    assert await owner.fetchval("SELECT worth FROM subscriptions") < 200


async def test_a_question_that_is_refused_fails_no_refund(
    bank: Bank, owner: asyncpg.Connection, world: Any, staff: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await subscribe(owner, world, staff)
    payment = encode_id("Payment", await owner.fetchval("SELECT id FROM payments"))
    bank.lose_answers = 1
    assert (await refund(payment, "k"))["refund"]["status"] == "UNKNOWN"

    async def refused(*_: Any) -> GatewayState:
        raise GatewayRefused("the terminal is blocked", "202")

    clock.travel(clock.now() + timedelta(minutes=5))
    with monkeypatch.context() as blocked:
        blocked.setattr(SandboxGateway, "state", refused)
        with pytest.raises(GatewayUnanswered):
            await billing.send_refund(await owner.fetchval("SELECT id FROM refunds"))
    assert await owner.fetchval("SELECT status FROM refunds") == "UNKNOWN", "the money went, as far as anybody knows"
    clock.travel(clock.now() + timedelta(minutes=5))
    await billing.send_refund(await owner.fetchval("SELECT id FROM refunds"))
    assert await owner.fetchval("SELECT status FROM refunds") == "SUCCEEDED"
    assert len(bank.given) == 1


async def pay(owner: asyncpg.Connection, payment_id: int) -> None:
    order_id, amount = await owner.fetchrow("SELECT order_id, amount FROM payments WHERE id = $1", payment_id)
    async with transaction() as session:
        raw = notification(order_id, amount, "RUB", PaymentStatus.CONFIRMED)
        await billing.receive_notification(session, "sandbox", raw, {})
    await run_messages(owner, "payment.notification")


async def test_money_that_came_twice_goes_back_without_what_the_first_has_bought(
    world: Any, owner: asyncpg.Connection, bank: Bank
) -> None:
    async with transaction() as session:
        invoice, first = await billing.create_subscription(
            session, STAFF, install_id=world.install, plan_id=world.plan, term=Term.MONTH, seats=3
        )
    await billing.open_payment(first.id)
    await owner.execute("UPDATE payments SET link_expires_at = now() - interval '1 hour'")
    async with transaction() as session:
        second = await billing.refresh_payment_link(session, STAFF, invoice_id=invoice.id)
    await billing.open_payment(second.id)
    await pay(owner, second.id)
    await pay(owner, first.id)
    kept = await owner.fetchrow("SELECT status, worth, ends_at FROM subscriptions")
    surplus = encode_id("Payment", first.id)
    assert (await payload(PREVIEW, id=surplus))["endsSubscription"] is False
    for key, amount in (("a", "100"), ("b", None)):
        made = await refund(surplus, key, amount=amount, subscription="END_NOW")
        assert made["refund"]["status"] == "SUCCEEDED"
    assert await owner.fetchval("SELECT status FROM payments WHERE id = $1", first.id) == "REFUNDED"
    assert await owner.fetchval("SELECT status FROM invoices") == "PAID", "the other payment still pays for it"
    assert await owner.fetchrow("SELECT status, worth, ends_at FROM subscriptions") == kept
    assert await told(owner, "invoice.refunded") == 0
    async with transaction() as session:
        assert await verify_billing(session) == []
    assert (await refund(encode_id("Payment", second.id), "c", subscription="END_NOW"))["refund"][
        "status"
    ] == "SUCCEEDED"
    assert await owner.fetchval("SELECT status FROM invoices") == "REFUNDED"
    assert await owner.fetchval("SELECT status FROM subscriptions") == "CANCELED"


async def test_a_bank_that_is_silent_for_long_is_asked_by_one_message_at_a_time(
    payment: str, owner: asyncpg.Connection, bank: Bank
) -> None:
    bank.lose_answers = 1
    await refund(payment, amount="50")
    await owner.execute("UPDATE outbox_messages SET status = 'DONE' WHERE kind = 'refund.send'")
    asked = 0
    for _ in range(5):
        clock.travel(clock.now() + timedelta(minutes=2))
        async with transaction() as session:
            asked += await billing.ask_for_open_refunds(session, 10)
    assert asked == 1
