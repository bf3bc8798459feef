"""T-Bank: the documented signatures, and the whole payment against an emulator that also misbehaves."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import orjson
import pytest

from core import clock, crypto, http
from core.database import transaction
from core.principal import Principal
from core.settings import get_settings
from domain.catalog import Term
from domain.refunds import RefundedCoins, RefundedSubscription
from gateways.interface import ForgedNotification, GatewayRefused, GatewayUnanswered, MalformedNotification
from gateways.tbank import client as tbank
from gateways.tbank.client import TBankGateway
from gateways.tbank.emulator import TBankEmulator
from gateways.tbank.token import token
from models import Payment
from services import billing
from services.billing import payments as billing_payments
from services.billing import reconciliation
from services.billing.locks import IN_FLIGHT
from services.billing.one_off import AskedLine
from workers.outbox import Outcome, process

VECTORS = [
    (
        {
            "TerminalKey": "MerchantTerminalKey",
            "Amount": 19200,
            "OrderId": "21090",
            "Description": "Подарочная карта на 1000 рублей",
        },
        "usaf8fw8fsw21g",
        "0024a00af7c350a3a67ca168ce06502aa72772456662e38696d48b56ee9c97d9",
    ),
    (
        {
            "TerminalKey": "MerchantTerminalKey",
            "Amount": 19200,
            "OrderId": "00000",
            "Description": "Подарочная карта на 1000 рублей",
        },
        "11111111111111",
        "72dd466f8ace0a37a1f740ce5fb78101712bc0665d91a8108c7c8a0ccd426db2",
    ),
    (
        {"TerminalKey": "TinkoffBankTest", "PaymentId": "13660"},
        "TinkoffBankTest",
        "73aa2711ec980262a31b3ade1021827b5672195348e6cc70335ca081a010e4ed",
    ),
    (
        {
            "TerminalKey": "TinkoffBankTest",
            "OrderId": "21090",
            "Success": False,
            "Status": "REJECTED",
            "PaymentId": 3093639567,
            "ErrorCode": "1051",
            "Amount": 140000,
            "CardId": 322264,
            "Pan": "430000******0777",
            "ExpDate": "1130",
            "Data": {"Route": "TCB"},
        },
        "TinkoffBankTest",
        "3b21d130e43b0621c36abcaf8f009ac31ce8813ee9335bb11ab9eb1d64061868",
    ),
]


@pytest.mark.parametrize(("parameters", "password", "expected"), VECTORS)
def test_tokens_are_the_documented_ones(parameters: dict[str, Any], password: str, expected: str) -> None:
    assert token({**parameters, "Token": "never signed"}, password) == expected


async def order(world: Any, staff: Principal) -> int:
    async with transaction(staff) as session:
        _, payment = await billing.create_subscription(
            session, staff, install_id=world.install, plan_id=world.plan, term=Term.MONTH, seats=3
        )
        return payment.id


async def run_notifications(owner: Any) -> None:
    rows = await owner.fetch(
        "SELECT id FROM outbox_messages WHERE kind = 'payment.notification' AND status = 'PENDING' ORDER BY id"
    )
    for row in rows:
        assert await process(row["id"]) is Outcome.DONE


async def test_a_payment_from_init_to_a_paid_subscription(
    bank: TBankEmulator, world: Any, staff: Principal, owner: Any
) -> None:
    await owner.execute(
        "INSERT INTO contacts (partner_id, full_name, email, is_primary) VALUES ($1, 'A', 'a@example.com', true)",
        world.partner,
    )
    payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    payment = await owner.fetchrow("SELECT * FROM payments")
    assert payment["payment_link"] == f"https://tbank.example/new/{payment['gateway_payment_id']}"
    await bank.pay(payment["gateway_payment_id"])
    await run_notifications(owner)
    payment = await owner.fetchrow("SELECT * FROM payments")
    assert (payment["status"], payment["masked_card"]) == ("CONFIRMED", "220138******0013")
    assert "Token" not in payment["gateway_answer"]
    assert await owner.fetchval("SELECT status FROM invoices") == "PAID"
    subscription = await owner.fetchrow("SELECT status, rebill_id_encrypted FROM subscriptions")
    assert subscription["status"] == "ACTIVE"
    assert subscription["rebill_id_encrypted"] is not None
    assert bank.calls == ["Init"]


async def test_a_lost_answer_is_found_again_and_never_sent_twice(
    bank: TBankEmulator, world: Any, staff: Principal, owner: Any
) -> None:
    payment_id = await order(world, staff)
    bank.lose_answers()
    with pytest.raises(GatewayUnanswered):
        await billing.open_payment(payment_id)
    assert await owner.fetchval("SELECT status FROM payments") == "UNKNOWN"
    with pytest.raises(billing_payments.InFlight):
        await billing.repair_payment(payment_id)
    async with transaction() as session:
        assert await billing.ask_for_unsettled(session, 10) == 0
    await owner.execute("UPDATE payments SET updated_at = now() - interval '2 minutes'")
    for expected in (1, 0):
        async with transaction() as session:
            assert await billing.ask_for_unsettled(session, 10) == expected
    message = await owner.fetchval("SELECT id FROM outbox_messages WHERE kind = 'payment.refresh'")
    assert await process(message) is Outcome.DONE
    assert bank.calls == ["Init", "CheckOrder"]
    payment = await owner.fetchrow("SELECT status, gateway_payment_id FROM payments")
    assert (payment["status"], payment["gateway_payment_id"]) == ("PENDING", next(iter(bank.payments)))


async def test_a_missed_notification_is_made_up_by_asking(
    bank: TBankEmulator, world: Any, staff: Principal, owner: Any
) -> None:
    payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    bank.send = None
    await bank.pay(next(iter(bank.payments)))
    await billing.repair_payment(payment_id)
    assert await owner.fetchval("SELECT status FROM invoices") == "PAID"
    assert bank.calls == ["Init", "GetState"]
    # The answer names no card; the notification does, however late it comes, and once.
    assert await owner.fetchval("SELECT card_account FROM subscriptions") is None
    told = bank.notification(next(iter(bank.payments)))
    for _ in range(2):
        async with transaction() as session:
            await billing.receive_notification(session, "tbank", told, {})
    await run_notifications(owner)
    kept = await owner.fetchrow("SELECT id, card_account, rebill_id_encrypted FROM subscriptions")
    assert kept["card_account"] == "tbank:TinkoffBankTest"
    assert crypto.decrypt(kept["rebill_id_encrypted"], f"subscriptions.rebill_id:{kept['id']}") == "101709"
    assert [row["action"] for row in await owner.fetch("SELECT action FROM subscription_changes ORDER BY id")] == [
        "activate",
        "keep_card",
    ]
    # Once it is forgotten, no repeat brings it back.
    await owner.execute("UPDATE subscriptions SET rebill_id_encrypted = NULL, card_account = NULL")
    async with transaction() as session:
        await billing.receive_notification(session, "tbank", told, {})
    await run_notifications(owner)
    assert await owner.fetchval("SELECT card_account FROM subscriptions") is None


async def test_a_refused_init_ends_the_payment(bank: TBankEmulator, world: Any, staff: Principal, owner: Any) -> None:
    payment_id = await order(world, staff)
    bank.password = "changed"
    await billing.open_payment(payment_id)
    payment = await owner.fetchrow("SELECT status, error_code FROM payments")
    assert tuple(payment) == ("REJECTED", "204")
    assert await owner.fetchval("SELECT status FROM invoices") == "FAILED"


async def test_refunds_are_told_in_part_and_whole(
    bank: TBankEmulator, world: Any, staff: Principal, owner: Any
) -> None:
    payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    bank_id = next(iter(bank.payments))
    await bank.pay(bank_id)
    await run_notifications(owner)
    terminal = TBankGateway("https://tbank.example/v2/", "TinkoffBankTest", "TinkoffBankTest")
    for _ in range(2):
        part = await terminal.cancel(bank_id, Decimal("100.00"), "refund-1")
        assert (part.gateway_status, part.amount) == ("PARTIAL_REFUNDED", Decimal("100.00"))
    async with transaction() as session:
        await billing_payments.advance(session, payment_id, part, source="test")
    assert await owner.fetchval("SELECT refunded_amount FROM payments") == 100
    assert await owner.fetchval("SELECT status FROM invoices") == "PARTIALLY_REFUNDED"
    whole = await terminal.cancel(bank_id, Decimal("200.00"), "refund-2")
    async with transaction() as session:
        await billing_payments.advance(session, payment_id, whole, source="test")
    assert tuple(await owner.fetchrow("SELECT status, refunded_amount FROM payments")) == ("REFUNDED", Decimal(300))
    with pytest.raises(GatewayRefused):
        await terminal.cancel(bank_id, Decimal("1.00"), "refund-3")


async def test_receipts_say_what_is_billed_and_what_is_given_back(
    bank: TBankEmulator, world: Any, staff: Principal, owner: Any
) -> None:
    await owner.execute(
        "INSERT INTO contacts (partner_id, full_name, phone) VALUES ($1, 'A', '+79990001122')", world.partner
    )
    lines = [
        AskedLine("Hours", Decimal("1.5"), Decimal("1999.99")),
        AskedLine("Seats", Decimal(120_000), Decimal("0.5")),
    ]
    async with transaction(staff) as session:
        _, payment = await billing.create_invoice(session, staff, partner_id=world.partner, lines=lines, currency="RUB")
        payment_id = payment.id
    await billing.open_payment(payment_id)
    (bank_id,) = bank.payments
    (receipt,) = bank.payments[bank_id].receipts
    told = [(item["Name"], item["Price"], item["Quantity"], item["Amount"]) for item in receipt["Items"]]
    assert (receipt["Phone"], receipt["Taxation"]) == ("+79990001122", "usn_income")
    # 2999.985 is rounded, so it cannot be told as price times quantity; 120,000 has too many digits.
    assert told == [("Hours", 299_999, 1, 299_999), ("Seats", 6_000_000, 1, 6_000_000)]
    await bank.pay(bank_id)
    await run_notifications(owner)
    async with transaction(staff) as session:
        await billing.request_refund(
            session, staff, payment_id=payment_id, amount=Decimal(100), reason="Asked",
            subscription=RefundedSubscription.KEEP, coins=RefundedCoins.LEAVE,
        )  # fmt: skip
    assert await process(await owner.fetchval("SELECT max(id) FROM outbox_messages WHERE kind = 'refund.send'"))
    back = bank.payments[bank_id].receipts[1]["Items"]
    assert [item["Name"] for item in back] == ["Hours", "Seats"]
    assert sum(item["Amount"] for item in back) == 10_000
    assert await owner.fetchval("SELECT status FROM refunds") == "SUCCEEDED"


async def test_receipts_of_parts_give_back_each_line_and_no_more(
    bank: TBankEmulator, world: Any, staff: Principal, owner: Any
) -> None:
    await owner.execute(
        "INSERT INTO contacts (partner_id, full_name, phone) VALUES ($1, 'A', '+79990001122')", world.partner
    )
    lines = [AskedLine(name, Decimal(1), Decimal(1)) for name in "ABC"]
    async with transaction(staff) as session:
        _, payment = await billing.create_invoice(session, staff, partner_id=world.partner, lines=lines, currency="RUB")
        payment_id = payment.id
    await billing.open_payment(payment_id)
    (bank_id,) = bank.payments
    await bank.pay(bank_id)
    await run_notifications(owner)
    for amount in (Decimal("0.01"), Decimal("0.01"), None):
        async with transaction(staff) as session:
            made = await billing.request_refund(
                session, staff, payment_id=payment_id, amount=amount, reason="Asked",
                subscription=RefundedSubscription.KEEP, coins=RefundedCoins.LEAVE,
            )  # fmt: skip
            refund_id = made.id
        await billing.send_refund(refund_id)
    back = dict.fromkeys("ABC", 0)
    for receipt in bank.payments[bank_id].receipts[1:]:
        for item in receipt["Items"]:
            back[item["Name"]] += item["Amount"]
    assert back == {"A": 100, "B": 100, "C": 100}
    assert await owner.fetchval("SELECT status FROM payments") == "REFUNDED"


async def test_a_withdrawn_bills_link_is_closed_at_the_bank(
    bank: TBankEmulator, world: Any, staff: Principal, owner: Any
) -> None:
    for faster in (False, True):
        payment_id = await order(world, staff)
        await billing.open_payment(payment_id)
        bank_id = max(bank.payments)
        async with transaction(staff) as session:
            invoice_id = (await session.get_one(Payment, payment_id)).invoice_id
            await billing.cancel_invoice(session, staff, invoice_id=invoice_id)
        if faster:
            bank.send = None
            await bank.pay(bank_id)
        close = "SELECT id FROM outbox_messages WHERE kind = 'payment.close' AND status = 'PENDING'"
        assert await process(await owner.fetchval(close)) is Outcome.DONE
        left = (
            bank.payments[bank_id].status,
            await owner.fetchval("SELECT status FROM payments WHERE id = $1", payment_id),
        )
        assert left == (("CONFIRMED", "CONFIRMED") if faster else ("CANCELED", "CANCELED")), "nobody's money is touched"
    assert await owner.fetchval("SELECT count(*) FROM outbox_messages WHERE kind = 'payment.attention'") == 1


@pytest.mark.parametrize("withdrawn", [False, True])
async def test_held_money_is_taken_or_released(
    bank: TBankEmulator, world: Any, staff: Principal, owner: Any, monkeypatch: pytest.MonkeyPatch, withdrawn: bool
) -> None:
    monkeypatch.setenv("KONTORA_TBANK_TWO_STAGE", "true")
    get_settings.cache_clear()
    payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    await bank.pay(max(bank.payments))
    await run_notifications(owner)
    assert await owner.fetchval("SELECT status FROM payments") == "AUTHORIZED"
    if withdrawn:
        async with transaction(staff) as session:
            invoice_id = (await session.get_one(Payment, payment_id)).invoice_id
            await billing.cancel_invoice(session, staff, invoice_id=invoice_id)
    confirm = await owner.fetchval("SELECT id FROM outbox_messages WHERE kind = 'payment.confirm'")
    assert await process(confirm) is Outcome.DONE
    await billing.confirm_payment(payment_id)
    states = tuple(
        await owner.fetchrow("SELECT p.status, i.status FROM payments p JOIN invoices i ON i.id = p.invoice_id")
    )
    assert states == (("REVERSED", "CANCELED") if withdrawn else ("CONFIRMED", "PAID"))
    assert await owner.fetchval("SELECT count(*) FROM outbox_messages WHERE kind = 'payment.attention'") == 0
    if not withdrawn:
        assert await owner.fetchval("SELECT card_account FROM subscriptions") == "tbank:TinkoffBankTest"
        raw = await owner.fetchval("SELECT raw FROM gateway_notifications")
        assert '"RebillId":"***"' in raw
        kept = await owner.fetchval("SELECT raw_encrypted FROM gateway_notifications")
        assert "RebillId" in crypto.decrypt(kept, "gateway_notifications.raw")
        await reconciliation.reconcile(clock.now().astimezone(clock.zone()).date(), "tbank")
        assert await owner.fetchval("SELECT rrn FROM payments") == "12345678"


async def test_held_money_of_a_renewal_is_taken_though_its_message_was_lost(
    bank: TBankEmulator, world: Any, staff: Principal, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KONTORA_TBANK_TWO_STAGE", "true")
    get_settings.cache_clear()
    bank.send = None
    payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    first = max(bank.payments)
    for body in await bank.pay(first):
        async with transaction() as session:
            await billing.receive_notification(session, "tbank", body, {})
    await run_notifications(owner)
    # The link's time passes while the money is held: nobody is given another link to pay twice.
    await owner.execute("UPDATE payments SET link_expires_at = now() - interval '1 hour'")
    async with transaction(staff) as session:
        invoice_id = await owner.fetchval("SELECT id FROM invoices")
        assert (await billing.refresh_payment_link(session, staff, invoice_id=invoice_id)).id == payment_id
    await billing.confirm_payment(payment_id)
    clock.travel(await owner.fetchval("SELECT ends_at FROM subscriptions") + timedelta(minutes=1))
    for work in (billing.issue_due_renewals, billing.plan_due_charges):
        async with transaction() as session:
            await work(session)
    renewal = await owner.fetchval("SELECT id FROM invoices WHERE kind = 'RENEWAL'")
    await billing.charge_invoice(renewal)
    charged = await owner.fetchval("SELECT id FROM payments WHERE method = 'RECURRING'")
    assert await owner.fetchval("SELECT status FROM payments WHERE id = $1", charged) == "AUTHORIZED"
    clock.travel(clock.now() + timedelta(minutes=15))
    await billing.repair_payment(charged)
    assert await owner.fetchval("SELECT status FROM payments WHERE id = $1", charged) == "CONFIRMED"
    assert await owner.fetchval("SELECT status FROM invoices WHERE id = $1", renewal) == "PAID"


async def test_every_order_of_the_two_notifications_pays_once(
    bank: TBankEmulator, world: Any, staff: Principal, owner: Any
) -> None:
    payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    bodies = await bank.pay(next(iter(bank.payments)))
    for body in reversed(bodies):
        async with transaction() as session:
            await billing.receive_notification(session, "tbank", body, {})
    await run_notifications(owner)
    assert await owner.fetchval("SELECT count(*) FROM payment_state_changes WHERE to_status = 'CONFIRMED'") == 1
    assert await owner.fetchval("SELECT count(*) FROM subscriptions") == 1


async def test_forged_and_foreign_notifications_are_refused(bank: TBankEmulator, world: Any, staff: Principal) -> None:
    payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    genuine = orjson.loads(bank.notification(next(iter(bank.payments)), "REJECTED"))
    terminal = TBankGateway("https://tbank.example/v2/", "TinkoffBankTest", "TinkoffBankTest")
    foreign = {**genuine, "TerminalKey": "Other"}
    for forged in ({**genuine, "Status": "CONFIRMED"}, {**genuine, "Token": None}, {**genuine, "Token": "é"}, {}):
        with pytest.raises(ForgedNotification):
            terminal.read_notification(orjson.dumps(forged).decode(), {})
    with pytest.raises(ForgedNotification):
        signed = {**foreign, "Token": token(foreign, "TinkoffBankTest")}
        terminal.read_notification(orjson.dumps(signed).decode(), {})
    for malformed in ("", "null", "[]", "1", "{"):
        with pytest.raises(MalformedNotification):
            terminal.read_notification(malformed, {})
    bare = {"TerminalKey": "TinkoffBankTest", "Status": "ACTIVE", "NotificationType": "LINKACCOUNT"}
    with pytest.raises(MalformedNotification):
        signed = {**bare, "Token": token(bare, "TinkoffBankTest")}
        terminal.read_notification(orjson.dumps(signed).decode(), {})


async def test_opening_by_the_request_and_the_worker_at_once_sends_one_init(
    bank: TBankEmulator, world: Any, staff: Principal
) -> None:
    payment_id = await order(world, staff)
    await asyncio.gather(*(billing.open_payment(payment_id) for _ in range(3)), return_exceptions=True)
    assert bank.calls == ["Init"]


async def test_an_address_that_no_receipt_takes_hinders_no_payment(
    bank: TBankEmulator, world: Any, staff: Principal, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KONTORA_RECEIPT_EMAIL", "receipts@example.com")
    get_settings.cache_clear()
    add = "INSERT INTO contacts (partner_id, full_name, email, phone, is_primary) VALUES ($1, 'A', $2, $3, $4)"
    await owner.execute(add, world.partner, f"{'a' * 60}@example.com", None, True)
    told = []
    for phone in (None, "+79990001122"):
        if phone is not None:
            await owner.execute(add, world.partner, f"{'b' * 60}@example.com", phone, False)
        payment_id = await order(world, staff)
        await billing.open_payment(payment_id)
        (receipt,) = bank.payments[max(bank.payments)].receipts
        told.append((receipt.get("Email"), receipt.get("Phone")))
        async with transaction(staff) as session:
            invoice_id = (await session.get_one(Payment, payment_id)).invoice_id
            await billing.cancel_invoice(session, staff, invoice_id=invoice_id)
    assert told == [("receipts@example.com", None), (None, "+79990001122")]


async def test_money_of_another_amount_pays_nothing_however_it_is_told(
    bank: TBankEmulator, world: Any, staff: Principal, owner: Any
) -> None:
    payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    bank.send = None
    (bank_id,) = bank.payments
    await bank.pay(bank_id)
    bank.payments[bank_id].amount = 100
    await billing.repair_payment(payment_id)
    assert await owner.fetchval("SELECT status FROM payments") == "PENDING"
    assert await owner.fetchval("SELECT status FROM invoices") == "PENDING"
    bank.payments[bank_id].amount = 30_000
    await billing.repair_payment(payment_id)
    assert await owner.fetchval("SELECT status FROM invoices") == "PAID"


async def test_money_for_an_order_that_nobody_knows_waits_for_a_person(
    bank: TBankEmulator, world: Any, staff: Principal, owner: Any
) -> None:
    payment_id = await order(world, staff)
    await billing.open_payment(payment_id)
    (bank_id,) = bank.payments
    bank.payments[bank_id].order_id = "of-a-lost-database"
    for status, waiting in (("REJECTED", 0), ("AUTHORIZED", 0), ("CONFIRMED", 1)):
        async with transaction() as session:
            await billing.receive_notification(session, "tbank", bank.notification(bank_id, status), {})
        await run_notifications(owner)
        attention = "SELECT count(*) FROM outbox_messages WHERE kind = 'payment.attention'"
        assert await owner.fetchval(attention) == waiting
    assert await owner.fetchval("SELECT payload->>'reason' FROM outbox_messages WHERE kind = 'payment.attention'") == (
        f"300.00 came for the order of-a-lost-database, payment {bank_id} at tbank, which is none of ours"
    )


async def test_a_bank_that_answers_by_drops_is_left_before_anybody_else_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr(http, "client", lambda **_: httpx.AsyncClient(transport=Slow()))
    monkeypatch.setattr(tbank, "LONGEST_CALL", timedelta(milliseconds=20))
    terminal = TBankGateway("https://tbank.example/v2/", "TinkoffBankTest", "TinkoffBankTest")
    with pytest.raises(GatewayUnanswered):
        await terminal.state("1")


def test_no_calls_outlast_the_time_in_which_others_leave_a_payment_alone() -> None:
    assert 2 * tbank.LONGEST_CALL < IN_FLIGHT, "a question and what follows from it"
