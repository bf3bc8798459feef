"""Closing receipts: owed by a prepayment, sent once its service is rendered, and never twice (54-FZ, GW-1)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from core import clock, http
from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from core.settings import get_settings
from domain.catalog import Term
from domain.refunds import RefundedCoins, RefundedSubscription
from gateways.tbank.emulator import TBankEmulator
from services import billing
from services.billing.verify import verify_billing
from tests.api import payload
from tests.billing.conftest import STAFF
from tests.billing.renewing import DAY, END, START, run_messages
from workers.outbox import Outcome, process

RETRY = """
mutation($input: ClosingReceiptSendInput!) { closingReceiptSend(input: $input) {
    closingReceipt { status errorCode payment { receiptMethod closingReceipts { nodes { status amount { amount } } } } }
    userErrors { code field } } }
"""

RECORD = """
mutation($input: ClosingReceiptRecordInput!) { closingReceiptRecord(input: $input) {
    closingReceipt { status fiscalDocument errorCode } userErrors { code field } } }
"""
BY_HAND = "{ closingReceipts(filter: {status: [BY_HAND]}) { nodes { id amount { amount } } } }"


async def pay(bank: TBankEmulator, world: Any, owner: Any) -> str:
    """A month from START, paid by card; gives the bank's number of the payment."""
    await owner.execute(
        "INSERT INTO contacts (partner_id, full_name, email) VALUES ($1, 'A', 'a@example.com')", world.partner
    )
    clock.travel(START)
    async with transaction(STAFF) as session:
        _, payment = await billing.create_subscription(
            session, STAFF, install_id=world.install, plan_id=world.plan, term=Term.MONTH, seats=3
        )
    await billing.open_payment(payment.id)
    (number,) = bank.payments
    await bank.pay(number)
    await run_messages(owner, "payment.notification")
    return number


@pytest.fixture
async def paid(bank: TBankEmulator, world: Any, owner: Any) -> str:
    """A month prepaid."""
    return await pay(bank, world, owner)


async def later(owner: Any, after: timedelta = timedelta(minutes=1)) -> list[Outcome]:
    """Send what is due at the end of the month and after."""
    clock.travel(END + after)
    async with transaction() as session:
        await billing.plan_closing_receipts(session)
        await billing.give_up_unanswered_receipts(session, 10)
    due = "SELECT id FROM outbox_messages WHERE kind = 'receipt.close' AND status = 'PENDING'"
    return [await process(row["id"]) for row in await owner.fetch(due)]


async def owed(owner: Any) -> tuple[str, str | None]:
    return tuple(await owner.fetchrow("SELECT status, error_code FROM closing_receipts"))


async def give_back(owner: Any, staff: Principal, amount: Decimal | None) -> None:
    async with transaction(staff) as session:
        await billing.request_refund(
            session, staff, payment_id=await owner.fetchval("SELECT id FROM payments"), amount=amount, reason="Asked",
            subscription=RefundedSubscription.KEEP, coins=RefundedCoins.LEAVE,
        )  # fmt: skip
    await run_messages(owner, "refund.send")


async def test_a_prepayment_is_closed_when_its_month_is_over(bank: TBankEmulator, paid: str, owner: Any) -> None:
    month = await owner.fetchval("SELECT period_end FROM invoices")
    assert await owner.fetchval("SELECT due_at FROM closing_receipts") == month
    assert await later(owner, -timedelta(hours=1)) == []
    for expected in ([Outcome.DONE], []):
        assert await later(owner) == expected
    assert await owed(owner) == ("SENT", None)
    async with transaction() as session:
        assert await verify_billing(session) == []
    payment = bank.payments[paid]
    (first,), (closing,) = payment.receipts, payment.closing_receipts
    assert {item["PaymentMethod"] for item in first["Items"]} == {"full_prepayment"}
    assert [(item["PaymentMethod"], item["Amount"]) for item in closing["Items"]] == [("full_payment", 30_000)]
    assert closing["Email"] == "a@example.com"
    for receipt in (first, closing, closing):
        await bank.register(paid, receipt)
    await run_messages(owner, "payment.notification")
    kept = await owner.fetchrow("SELECT status, fiscal_document, receipt_url FROM closing_receipts")
    assert tuple(kept) == ("REGISTERED", "4502", f"https://tbank.example/receipts/{paid}")
    told = [
        tuple(row)
        for row in await owner.fetch("SELECT status, reason FROM gateway_notifications ORDER BY id DESC LIMIT 3")
    ]
    assert told == [
        ("IGNORED", "the closing receipt is REGISTERED already"),
        ("APPLIED", None),
        ("IGNORED", "the payment's own receipt was registered"),
    ]
    assert "a@example.com" not in str(await owner.fetch("SELECT raw FROM gateway_notifications"))
    trail = await owner.fetch("SELECT action FROM audit_events WHERE entity_type = 'ClosingReceipt' ORDER BY id")
    assert [row["action"].split(".")[1] for row in trail] == ["owe", "send", "register"]


@pytest.mark.parametrize(("method", "tax"), [("full_payment", "vat22"), ("advance", "vat122")])
async def test_what_a_receipt_owes_depends_on_what_it_calls_the_payment(
    bank: TBankEmulator, world: Any, owner: Any, monkeypatch: pytest.MonkeyPatch, method: str, tax: str
) -> None:
    monkeypatch.setenv("KONTORA_TBANK_PAYMENT_METHOD", method)
    monkeypatch.setenv("KONTORA_TBANK_VAT", "vat22")
    get_settings.cache_clear()
    number = await pay(bank, world, owner)
    (item,) = bank.payments[number].receipts[0]["Items"]
    assert (item["PaymentMethod"], item["Tax"]) == (method, tax)
    await later(owner)
    told = [item["Tax"] for receipt in bank.payments[number].closing_receipts for item in receipt["Items"]]
    assert told == ([] if method == "full_payment" else ["vat22"])


async def test_a_lost_answer_is_never_sent_again_by_itself(
    bank: TBankEmulator, paid: str, owner: Any, staff: Principal
) -> None:
    bank.lose_answers()
    assert await later(owner) == [Outcome.DONE]
    assert await owed(owner) == ("UNKNOWN", None)
    # As after a worker that was killed between asking and hearing.
    await billing.send_closing_receipt(await owner.fetchval("SELECT id FROM closing_receipts"))
    assert await later(owner, DAY) == []
    assert await later(owner, 2 * DAY) == []
    assert await owed(owner) == ("FAILED", "NO_ANSWER")
    assert len(bank.payments[paid].closing_receipts) == 1
    assert await run_messages(owner, "payment.attention") == 1
    # The register speaks late, and its word counts.
    await bank.register(paid, bank.payments[paid].closing_receipts[0])
    await run_messages(owner, "payment.notification")
    assert await owed(owner) == ("REGISTERED", None)
    asked = {"id": encode_id("ClosingReceipt", await owner.fetchval("SELECT id FROM closing_receipts"))}
    refused = await payload(RETRY, input=asked)
    assert refused["userErrors"] == [{"code": "CLOSING_RECEIPT_NOT_FAILED", "field": ["input", "id"]}]


async def test_a_refusal_waits_for_a_person_who_sends_it_again(bank: TBankEmulator, paid: str, owner: Any) -> None:
    bank.payments[paid].status = "REFUNDING"
    assert await later(owner) == [Outcome.DEAD]
    assert await owed(owner) == ("FAILED", "8")
    bank.payments[paid].status = "CONFIRMED"
    asked = {"id": encode_id("ClosingReceipt", await owner.fetchval("SELECT id FROM closing_receipts"))}
    made = await payload(RETRY, input=asked)
    assert made["closingReceipt"] == {
        "status": "QUEUED",
        "errorCode": None,
        "payment": {
            "receiptMethod": "FULL_PREPAYMENT",
            "closingReceipts": {"nodes": [{"status": "QUEUED", "amount": {"amount": "300.00"}}]},
        },
    }
    assert await later(owner) == [Outcome.DONE]
    assert await owed(owner) == ("SENT", None)
    await bank.register(paid, bank.payments[paid].closing_receipts[0], error="no paper")
    await run_messages(owner, "payment.notification")
    assert await owed(owner) == ("FAILED", "NOT_REGISTERED")
    assert await run_messages(owner, "payment.attention") == 1


async def test_a_bank_out_of_reach_is_tried_again(
    bank: TBankEmulator, paid: str, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(**_: Any) -> Any:
        raise httpx.ConnectError("no route")

    with monkeypatch.context() as broken:
        broken.setattr(http, "client", unreachable)
        assert await later(owner) == [Outcome.RETRY]
    assert await owed(owner) == ("QUEUED", None)
    await owner.execute("UPDATE outbox_messages SET available_at = now()")
    assert await later(owner) == [Outcome.DONE]
    assert await owed(owner) == ("SENT", None)


async def test_money_given_back_before_owes_less(bank: TBankEmulator, paid: str, owner: Any, staff: Principal) -> None:
    await give_back(owner, staff, Decimal(100))
    assert bank.payments[paid].receipts[1]["Items"][0]["PaymentMethod"] == "full_prepayment"
    assert await later(owner) == [Outcome.DEAD]
    assert await owed(owner) == ("BY_HAND", "NOT_POSSIBLE"), "the bank closes whole payments only"
    assert not bank.payments[paid].closing_receipts
    await give_back(owner, staff, Decimal(50))
    assert await owner.fetchval("SELECT amount FROM closing_receipts") == 150
    async with transaction() as session:
        assert await verify_billing(session) == []
    await give_back(owner, staff, None)
    assert (await owed(owner))[0] == "CANCELED"


@pytest.mark.parametrize("told_by", ["person", "register"])
async def test_what_the_bank_does_not_close_a_person_makes_and_records(
    bank: TBankEmulator, paid: str, owner: Any, staff: Principal, told_by: str
) -> None:
    await give_back(owner, staff, Decimal(100))
    await later(owner)
    (found,) = (await payload(BY_HAND))["nodes"]
    assert found["amount"] == {"amount": "200.00"}
    asked = {"id": found["id"], "fiscalDocument": "4711"}
    refused = await payload(RETRY, input={"id": found["id"]})
    assert refused["userErrors"][0]["code"] == "CLOSING_RECEIPT_NOT_FAILED"
    for wrong, code in (
        ({"fiscalDocument": " "}, "INVALID_VALUE"),
        ({"id": encode_id("ClosingReceipt", 9)}, "NOT_FOUND"),
    ):
        assert (await payload(RECORD, input={**asked, **wrong}))["userErrors"][0]["code"] == code
    if told_by == "person":
        made = await payload(RECORD, input=asked)
        assert made["closingReceipt"] == {"status": "REGISTERED", "fiscalDocument": "4711", "errorCode": None}
    else:
        items = [{"Amount": 20_000, "PaymentMethod": "full_payment"}]
        await bank.register(paid, {"Items": items})
        await run_messages(owner, "payment.notification")
    assert await owed(owner) == ("REGISTERED", None)
    assert (await payload(BY_HAND))["nodes"] == []
    again = await payload(RECORD, input=asked)
    assert again["userErrors"] == [{"code": "CLOSING_RECEIPT_NOT_BY_HAND", "field": ["input", "id"]}]
    await give_back(owner, staff, Decimal(50))
    assert await owner.fetchval("SELECT amount FROM closing_receipts") == 200, "what was printed stays"
    assert bank.payments[paid].receipts[-1]["Items"][0]["PaymentMethod"] == "full_payment"


async def test_money_given_back_after_is_no_prepayment_any_more(
    bank: TBankEmulator, paid: str, owner: Any, staff: Principal
) -> None:
    await later(owner)
    await give_back(owner, staff, Decimal(100))
    assert bank.payments[paid].receipts[1]["Items"][0]["PaymentMethod"] == "full_payment"
