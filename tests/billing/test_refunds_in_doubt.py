"""Refunds whose answer is lost: by the SBP nothing recognises a repeat, so a person finds out (INV-2, GW-1)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest

from core import clock, http
from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from domain.catalog import Term
from gateways.interface import GatewayState
from gateways.tbank.client import TBankGateway
from gateways.tbank.emulator import TBankEmulator
from policies.roles import ROLES
from services import billing
from services.billing import reconciliation
from services.billing.refund_sending import LONGEST_UNDER_WAY
from services.billing.verify import verify_billing
from tests.api import payload, run
from tests.billing.conftest import STAFF
from tests.billing.renewing import run_messages

REFUND = """
mutation($input: PaymentRefundInput!) { paymentRefund(input: $input) {
  refund { id status } userErrors { code } } }
"""
RESOLVE = """
mutation($input: RefundResolveInput!) { refundResolve(input: $input) {
  refund { status resolutionNote errorCode } payment { status refundedAmount { amount } }
  userErrors { code field } } }
"""
RECORD = """
mutation($input: PaymentRecordRefundInput!) { paymentRecordRefund(input: $input) {
  refund { status reason } payment { status refundedAmount { amount } } userErrors { code field } } }
"""
DOUBTED = "{ refunds(filter: {status: [IN_DOUBT]}) { nodes { id errorCode errorMessage } } }"
MINUTES = timedelta(minutes=5)


class Terminal:
    """A payment of 300 RUB at the bank, and what is done with it."""

    def __init__(self, bank: TBankEmulator, owner: asyncpg.Connection) -> None:
        self.bank, self.owner = bank, owner
        (self.number,) = bank.payments
        self.keys = 0

    async def refund(self, amount: str | None) -> str:
        """Ask for a refund; gives how far it is."""
        self.keys += 1
        payment = encode_id("Payment", await self.owner.fetchval("SELECT id FROM payments"))
        asked = {"paymentId": payment, "amount": amount, "reason": "Asked", "idempotencyKey": str(self.keys)}
        made = await payload(REFUND, input=asked)
        assert made["userErrors"] == []
        status: str = made["refund"]["status"]
        return status

    async def ask(self) -> str:
        """What the job does minutes later with the newest refund; gives how far it is."""
        clock.travel(clock.now() + MINUTES)
        async with transaction() as session:
            await billing.ask_for_open_refunds(session, 10)
        await self.owner.execute("UPDATE outbox_messages SET status = 'DONE' WHERE kind = 'refund.send'")
        await billing.send_refund(await self.owner.fetchval("SELECT max(id) FROM refunds"))
        found: str = await self.owner.fetchval("SELECT status FROM refunds ORDER BY id DESC LIMIT 1")
        return found

    async def end(self, **how: Any) -> None:
        """The SBP ends what is on its way."""
        await self.bank.end_refund(self.number, **how)
        await run_messages(self.owner, "payment.notification")

    @property
    def given_back(self) -> int:
        """What the bank gave back, in RUB."""
        payment = self.bank.payments[self.number]
        return (payment.amount - payment.left) // 100

    async def booked(self) -> tuple[str, Decimal]:
        """What our books say."""
        return tuple(await self.owner.fetchrow("SELECT status, refunded_amount FROM payments"))

    @property
    def cancels(self) -> int:
        """How often the bank was asked to give money back."""
        return self.bank.calls.count("Cancel")


async def pay(bank: TBankEmulator, world: Any, owner: asyncpg.Connection, source: str) -> Terminal:
    async with transaction(STAFF) as session:
        _, payment = await billing.create_subscription(
            session, STAFF, install_id=world.install, plan_id=world.plan, term=Term.MONTH, seats=3
        )
    await billing.open_payment(payment.id)
    made = Terminal(bank, owner)
    await bank.pay(made.number, source=source)
    await run_messages(owner, "payment.notification")
    return made


@pytest.fixture
async def sbp(bank: TBankEmulator, world: Any, owner: asyncpg.Connection) -> Terminal:
    """Paid by the SBP; 100 RUB of it were given back in the ordinary course, without a notification."""
    made = await pay(bank, world, owner, "qrsbp")
    assert await made.refund("100") == "UNKNOWN"
    bank.send = None
    await made.end()
    assert await made.ask() == "SUCCEEDED"
    assert await made.booked() == ("PARTIALLY_REFUNDED", 100)
    return made


async def test_a_second_part_by_the_sbp_is_asked_for_once(sbp: Terminal) -> None:
    assert await sbp.refund("50") == "UNKNOWN"
    assert await sbp.ask() == "UNKNOWN", "the bank is at it"
    await sbp.end()
    assert await sbp.ask() == "SUCCEEDED"
    assert (sbp.cancels, sbp.given_back, await sbp.booked()) == (2, 150, ("PARTIALLY_REFUNDED", 150))


async def test_what_the_bank_is_at_for_a_week_waits_for_a_person(sbp: Terminal) -> None:
    await sbp.refund("50")
    assert await sbp.ask() == "UNKNOWN"
    clock.travel(clock.now() + LONGEST_UNDER_WAY - MINUTES * 3)
    assert await sbp.ask() == "UNKNOWN"
    clock.travel(clock.now() + MINUTES)
    assert await sbp.ask() == "IN_DOUBT"
    ((found,),) = [(await payload(DOUBTED))["nodes"]]
    assert "ASYNC_REFUNDING for 7 days" in found["errorMessage"]
    assert (sbp.cancels, sbp.given_back) == (2, 100)


async def test_a_second_part_whose_answer_is_lost_waits_for_a_person(sbp: Terminal) -> None:
    sbp.bank.lose_answers()
    assert await sbp.refund("50") == "UNKNOWN"
    await sbp.end()
    for _ in range(3):
        assert await sbp.ask() == "IN_DOUBT"
    assert (sbp.cancels, sbp.given_back) == (2, 150)
    assert await run_messages(sbp.owner, "payment.attention") == 1
    ((found,),) = [(await payload(DOUBTED))["nodes"]]
    assert found["errorCode"] == "NO_ANSWER"
    asked = {"id": found["id"], "outcome": "GIVEN_BACK", "note": "seen in the cabinet, operation 17"}
    made = await payload(RESOLVE, input=asked)
    assert made == {
        "refund": {"status": "SUCCEEDED", "resolutionNote": asked["note"], "errorCode": None},
        "payment": {"status": "PARTIALLY_REFUNDED", "refundedAmount": {"amount": "150.00"}},
        "userErrors": [],
    }
    again = await payload(RESOLVE, input=asked)
    assert again["userErrors"] == [{"code": "REFUND_NOT_IN_DOUBT", "field": ["input", "id"]}]
    trail = await sbp.owner.fetch("SELECT action FROM audit_events WHERE entity_type = 'Refund' ORDER BY id")
    assert [row["action"] for row in trail][-2:] == ["refund.doubt", "refund.settle"]
    assert await sbp.refund(None) == "UNKNOWN", "the rest may be asked for again"


async def test_a_refund_that_was_not_made_is_free_to_be_asked_for_again(sbp: Terminal) -> None:
    sbp.bank.lose_calls()
    assert await sbp.refund("50") == "UNKNOWN"
    assert await sbp.ask() == "IN_DOUBT"
    found = encode_id("Refund", await sbp.owner.fetchval("SELECT max(id) FROM refunds"))
    for wrong, code in (({"note": " "}, "INVALID_VALUE"), ({"id": encode_id("Refund", 99)}, "NOT_FOUND")):
        asked = {"id": found, "outcome": "NOT_GIVEN_BACK", "note": "not in the cabinet", **wrong}
        assert (await payload(RESOLVE, input=asked))["userErrors"][0]["code"] == code
    support = Principal(kind="staff", permissions=ROLES["SUPPORT"][1])
    assert (await run(RESOLVE, support, input={**asked, "id": found}))["errors"]
    made = await payload(RESOLVE, input={**asked, "id": found})
    assert made["refund"]["status"] == "FAILED"
    assert await sbp.booked() == ("PARTIALLY_REFUNDED", 100)
    assert await sbp.refund("50") == "UNKNOWN"
    await sbp.end()
    assert await sbp.ask() == "SUCCEEDED"
    assert sbp.given_back == 150


async def test_a_late_notice_of_the_first_part_settles_no_second_of_the_same_sum(sbp: Terminal) -> None:
    late = sbp.bank.notification(sbp.number)
    sbp.bank.lose_answers()
    await sbp.refund("100")
    assert await sbp.ask() == "UNKNOWN"

    async def tell(body: str) -> None:
        async with transaction() as session:
            await billing.receive_notification(session, "tbank", body, {})
        await run_messages(sbp.owner, "payment.notification")

    await tell(late)
    await tell(late)
    assert await sbp.booked() == ("PARTIALLY_REFUNDED", 100)
    await sbp.end()
    # 200 of 300: all that was given back, or what the first refund left. The bank has accepted it, so asking tells.
    await tell(sbp.bank.notification(sbp.number))
    assert await sbp.booked() == ("PARTIALLY_REFUNDED", 100)
    assert await sbp.ask() == "SUCCEEDED"
    await tell(sbp.bank.notification(sbp.number))
    assert (sbp.given_back, await sbp.booked()) == (200, ("PARTIALLY_REFUNDED", 200))


async def test_the_notice_of_a_refund_in_doubt_settles_it(sbp: Terminal) -> None:
    sbp.bank.lose_answers()
    await sbp.refund("70")
    await sbp.end()
    assert await sbp.ask() == "IN_DOUBT"
    async with transaction() as session:
        await billing.receive_notification(session, "tbank", sbp.bank.notification(sbp.number), {})
    await run_messages(sbp.owner, "payment.notification")
    assert await sbp.booked() == ("PARTIALLY_REFUNDED", 170)
    assert await sbp.owner.fetchval("SELECT status FROM refunds ORDER BY id DESC LIMIT 1") == "SUCCEEDED"


async def test_the_rest_of_a_payment_tells_by_itself_whether_it_went(sbp: Terminal) -> None:
    sbp.bank.lose_calls()
    await sbp.refund(None)
    assert await sbp.ask() == "UNKNOWN", "in part is not whole, so it was sent again"
    await sbp.end()
    assert await sbp.ask() == "SUCCEEDED"
    assert (sbp.given_back, await sbp.booked()) == (300, ("REFUNDED", 300))


async def test_a_refund_that_the_sbp_refuses_fails_and_is_not_repeated(
    bank: TBankEmulator, world: Any, owner: asyncpg.Connection
) -> None:
    terminal = await pay(bank, world, owner, "qrsbp")
    await terminal.refund("100")
    await terminal.end(refused="I05043")
    assert await terminal.ask() == "FAILED"
    assert await owner.fetchval("SELECT error_code FROM refunds") == "I05043"
    assert (terminal.cancels, await terminal.booked()) == (1, ("CONFIRMED", 0))


async def test_a_card_knows_a_repeat(bank: TBankEmulator, world: Any, owner: asyncpg.Connection) -> None:
    terminal = await pay(bank, world, owner, "cards")
    bank.send = None
    assert await terminal.refund("100") == "SUCCEEDED"
    for lose in (bank.lose_answers, bank.lose_calls):
        lose()
        assert await terminal.refund("50") == "UNKNOWN"
        assert await terminal.ask() == "SUCCEEDED"
    assert (terminal.given_back, await terminal.booked()) == (200, ("PARTIALLY_REFUNDED", 200))
    # A repeat that is refused says nothing of what was sent before it.
    bank.lose_answers()
    await terminal.refund("40")
    bank.payments[terminal.number].cancels.clear()
    bank.payments[terminal.number].left = 3_000
    assert await terminal.ask() == "IN_DOUBT"


async def test_a_bank_out_of_reach_was_told_nothing(sbp: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(**_: Any) -> Any:
        raise httpx.ConnectError("no route")

    with monkeypatch.context() as broken:
        broken.setattr(http, "client", unreachable)
        assert await sbp.refund("50") == "PENDING"
    assert await sbp.ask() == "UNKNOWN"
    assert sbp.cancels == 2


@pytest.mark.parametrize("notified", [True, False])
async def test_a_part_given_back_of_which_no_sum_is_told_is_not_booked_as_the_whole(
    bank: TBankEmulator, world: Any, owner: asyncpg.Connection, notified: bool
) -> None:
    send, bank.send = bank.send, bank.send if notified else None
    terminal = await pay(bank, world, owner, "cards")
    payment = bank.payments[terminal.number]
    payment.status, payment.left = "PARTIAL_REFUNDED", 20_000
    if notified:
        await reconciliation.reconcile(clock.now().astimezone(clock.zone()).date(), "tbank")
        told = await owner.fetchrow("SELECT kind, theirs, repaired FROM reconciliation_differences")
        assert tuple(told) == ("STATE", "PARTIAL_REFUNDED", False)
    else:
        await billing.repair_payment(await owner.fetchval("SELECT id FROM payments"))
        assert await run_messages(owner, "payment.attention") == 1
    assert await terminal.booked() == ("CONFIRMED", 0)
    assert await owner.fetchval("SELECT status FROM invoices") == "PAID"
    # The notification, however late, tells the sum.
    assert send is not None
    await send("https://kontora.example/webhooks/tbank", bank.notification(terminal.number))
    await run_messages(owner, "payment.notification")
    assert await terminal.booked() == ("PARTIALLY_REFUNDED", 100)
    async with transaction() as session:
        assert await verify_billing(session) == []


@pytest.mark.parametrize("meanwhile", [False, True])
async def test_a_cabinets_refund_beside_ours_is_no_sign_of_ours(
    bank: TBankEmulator, world: Any, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, meanwhile: bool
) -> None:
    terminal = await pay(bank, world, owner, "qrsbp")
    bank.lose_calls()
    assert await terminal.refund("50") == "UNKNOWN"
    payment = bank.payments[terminal.number]
    payment.status, payment.left = "PARTIAL_REFUNDED", 20_000

    async def tell() -> None:
        async with transaction() as session:
            await billing.receive_notification(session, "tbank", bank.notification(terminal.number), {})
        await run_messages(owner, "payment.notification")

    asked = TBankGateway.state

    async def slow(gateway: TBankGateway, number: str) -> GatewayState:
        state = await asked(gateway, number)
        await tell()
        return state

    if meanwhile:
        monkeypatch.setattr(TBankGateway, "state", slow)
    else:
        await tell()
    assert await terminal.ask() == "IN_DOUBT"
    assert await terminal.booked() == ("CONFIRMED", 0)
    refund_id = encode_id("Refund", await owner.fetchval("SELECT id FROM refunds"))
    record = {
        "paymentId": encode_id("Payment", await owner.fetchval("SELECT id FROM payments")),
        "amount": "100",
        "reason": "made in the cabinet by Anna",
        "idempotencyKey": "cabinet",
    }
    busy = await payload(RECORD, input=record)
    assert busy["userErrors"] == [{"code": "PAYMENT_NOT_REFUNDABLE", "field": ["input", "paymentId"]}]
    await payload(RESOLVE, input={"id": refund_id, "outcome": "NOT_GIVEN_BACK", "note": "not in the cabinet"})
    made = await payload(RECORD, input={**record, "idempotencyKey": "again"})
    assert made == {
        "refund": {"status": "SUCCEEDED", "reason": record["reason"]},
        "payment": {"status": "PARTIALLY_REFUNDED", "refundedAmount": {"amount": "100.00"}},
        "userErrors": [],
    }
    too_much = await payload(RECORD, input={**record, "amount": "200.01", "idempotencyKey": "more"})
    assert too_much["userErrors"][0]["code"] == "REFUND_EXCEEDS_PAYMENT"
    await tell()
    assert await terminal.booked() == ("PARTIALLY_REFUNDED", 100)
    assert terminal.cancels == 0
    async with transaction() as session:
        assert await verify_billing(session) == []
