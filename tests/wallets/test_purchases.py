"""Coins bought: by invoice, by themselves, taken back with a refund; notices and statements (WAL-5, WAL-6, INV-2)."""

from __future__ import annotations

import asyncio
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
from gateways.interface import GatewayRefused, GatewayUnanswered
from gateways.sandbox.client import EMPTY_CARD, GOOD_CARD, LOST_CARD, SandboxGateway, notification
from ledger.verify import verify
from models import Invoice, Subscription
from policies.roles import ROLES
from services import billing, wallets
from services.billing.cards import Card, keep_card
from services.billing.take_back import CoinsSpent, take_back, taken_back_at_most
from tests.api import payload, run
from tests.factories.world import STAFF
from tests.wallets.conftest import Backend, events, run_messages

PACKAGE = """
mutation($input: CoinPackageCreateInput!) { coinPackageCreate(input: $input) {
  coinPackage { id version active } userErrors { code field } } }
"""
WITHDRAW = """
mutation($input: CoinPackageUpdateInput!) { coinPackageUpdate(input: $input) {
  coinPackage { active } userErrors { code field } } }
"""
BUY = """
mutation($input: CoinPurchaseCreateInput!) { coinPurchaseCreate(input: $input) {
  invoice { id status total { amount } coins } payment { paymentLink } userErrors { code field } } }
"""
LOW = """
mutation($input: WalletSetLowThresholdInput!) { walletSetLowThreshold(input: $input) {
  wallet { lowThreshold lowSince } userErrors { code field } } }
"""
TOP_UP = """
mutation($input: WalletSetTopUpInput!) { walletSetTopUp(input: $input) {
  wallet { topUp { enabled threshold mostPerDay } } userErrors { code field } } }
"""
REFUND = """
mutation($input: PaymentRefundInput!) { paymentRefund(input: $input) {
  refund { status coinsTaken } userErrors { code message } } }
"""
STATEMENT = """
query($input: WalletStatementInput!) { walletStatement(input: $input) {
  opening credited debited closing byKind { kind amount } } }
"""


@pytest.fixture
async def package(backend: Backend) -> str:
    """The id of a package of 500 coins for 1,000 RUB."""
    made = await payload(PACKAGE, input={"name": "500", "coins": "500", "price": "1000"})
    found: str = made["coinPackage"]["id"]
    return found


async def buy(backend: Backend, package: str, who: Principal = STAFF, key: str = "k", **more: Any) -> dict[str, Any]:
    return await payload(
        BUY, who, input={"walletId": backend.wallet_id, "packageId": package, "idempotencyKey": key, **more}
    )


async def paid(owner: asyncpg.Connection, status: PaymentStatus = PaymentStatus.CONFIRMED) -> None:
    payment = await owner.fetchrow("SELECT order_id, amount FROM payments ORDER BY id DESC LIMIT 1")
    assert payment is not None
    raw = notification(payment["order_id"], payment["amount"], "RUB", status, None)
    async with transaction() as session:
        await billing.receive_notification(session, "sandbox", raw, {})
    await run_messages(owner, "payment.notification")


async def a_card(backend: Backend, owner: asyncpg.Connection, card: str = GOOD_CARD) -> None:
    """Give the install a paid subscription with a stored card."""
    key = await owner.fetchval(
        "UPDATE subscriptions SET status = 'ACTIVE', ends_at = ends_at + interval '1 year', auto_renew = true RETURNING id"
    )
    async with transaction() as session:
        live = await session.get_one(Subscription, key)
        keep_card(live, Card(card, "sandbox"))


def owner_of(partner_id: int) -> Principal:
    return Principal(kind="partner", partner_id=partner_id, permissions=ROLES["PARTNER_OWNER"][1])


async def violations() -> list[str]:
    async with transaction() as session:
        return await verify(session)


async def test_a_partner_buys_coins_once(backend: Backend, package: str, owner: asyncpg.Connection) -> None:
    who = owner_of(await owner.fetchval("SELECT partner_id FROM installs"))
    dry = await buy(backend, package, who, dryRun=True)
    assert dry["invoice"]["total"] == {"amount": "1000.00"}
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 0
    made = await buy(backend, package, who)
    assert made["userErrors"] == []
    assert made["invoice"]["coins"] == "500.000"
    assert made["payment"]["paymentLink"].startswith("http")
    assert (await buy(backend, package, who))["invoice"]["id"] == made["invoice"]["id"]
    assert await backend.balance() == 1000
    for _ in range(3):
        await paid(owner)
    assert await backend.balance() == 1500
    assert len(await events(owner, "wallet.credited")) == 1
    assert await violations() == []


async def test_bonus_coins_go_first(backend: Backend, package: str, owner: asyncpg.Connection) -> None:
    await buy(backend, package)
    await paid(owner)
    await backend.charge("1100", "k")
    lots = await owner.fetch("SELECT source, remaining FROM wallet_lots ORDER BY id")
    assert [tuple(lot) for lot in lots] == [("BONUS", 0), ("PURCHASE", 400)]


async def test_a_bonus_that_ends_is_lost_and_bought_coins_are_not(
    backend: Backend, package: str, owner: asyncpg.Connection
) -> None:
    await buy(backend, package)
    await paid(owner)
    await owner.execute(
        "UPDATE wallet_lots SET expires_at = $1 WHERE source = 'BONUS'", clock.now() + timedelta(days=1)
    )
    await backend.charge("300", "k")
    clock.travel(clock.now() + timedelta(days=2))
    assert await backend.balance() == 500
    async with transaction() as session:
        assert await wallets.expire_lots(session, 10) == 1
        assert await wallets.expire_lots(session, 10) == 0
    assert await backend.balance() == 500
    assert await owner.fetchval("SELECT amount FROM wallet_transactions WHERE kind = 'EXPIRY'") == -700
    assert await violations() == []


async def test_withdrawn_packages_are_not_sold(backend: Backend, package: str) -> None:
    withdrawn = await payload(WITHDRAW, input={"id": package, "version": 1, "active": False})
    assert withdrawn["coinPackage"] == {"active": False}
    assert (await buy(backend, package))["userErrors"] == [
        {"code": "PACKAGE_NOT_OFFERED", "field": ["input", "packageId"]}
    ]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"coins": "0"}, "coins"),
        ({"coins": "0.0001"}, "coins"),
        ({"price": "-1"}, "price"),
        ({"currency": "rub"}, "currency"),
    ],
)
async def test_packages_are_checked(database_url: str, values: dict[str, str], field: str) -> None:
    made = await payload(PACKAGE, input={"name": "x", "coins": "1", "price": "1", **values})
    assert made["userErrors"][0]["field"] == ["input", field]


async def test_coins_are_taken_back_only_while_they_are_there(
    backend: Backend, package: str, owner: asyncpg.Connection
) -> None:
    await buy(backend, package)
    await paid(owner)
    await backend.charge("1200", "k")
    async with transaction() as session:
        invoice = await session.get_one(Invoice, await owner.fetchval("SELECT id FROM invoices"))
        assert await taken_back_at_most(session, invoice) == 600
        with pytest.raises(CoinsSpent) as refused:
            await take_back(session, STAFF, invoice=invoice, amount=Decimal(1000), reference="r0")
        assert (refused.value.coins_left, refused.value.refundable) == (300, 600)
        for _ in range(2):
            moved = await take_back(session, STAFF, invoice=invoice, amount=Decimal(600), reference="r1")
            assert moved is not None
            assert moved.amount == -300
    assert await backend.balance() == 0
    assert await violations() == []


async def test_low_balance_is_told_once_a_crossing(backend: Backend, owner: asyncpg.Connection) -> None:
    await payload(LOW, input={"id": backend.wallet_id, "threshold": "500"})
    for number in range(4):
        await backend.charge("200", f"k{number}")
    await run_messages(owner, "wallet.low")
    assert len(await events(owner, "wallet.low")) == 1
    async with transaction() as session:
        await wallets.grant_bonus(session, STAFF, wallet_id=backend.wallet, amount=Decimal(800), reason="more")
    await backend.charge("600", "again")
    await run_messages(owner, "wallet.low")
    assert len(await events(owner, "wallet.low")) == 2
    told = await payload(LOW, input={"id": backend.wallet_id, "threshold": None})
    assert told["wallet"] == {"lowThreshold": None, "lowSince": None}


async def set_top_up(backend: Backend, package: str, **more: Any) -> dict[str, Any]:
    """Have the wallet bought for below 900 coins."""
    asked = {"id": backend.wallet_id, "packageId": package, "threshold": "900", **more}
    return await payload(TOP_UP, input=asked)


async def fill(owner: asyncpg.Connection) -> None:
    await run_messages(owner, "wallet.top_up")
    await run_messages(owner, "invoice.charge")


async def test_a_wallet_fills_itself_once_a_crossing(backend: Backend, package: str, owner: asyncpg.Connection) -> None:
    without = await set_top_up(backend, package)
    assert without["userErrors"] == [{"code": "NO_STORED_CARD", "field": ["input", "id"]}]
    await a_card(backend, owner)
    made = await set_top_up(backend, package)
    assert made["userErrors"] == []
    assert made["wallet"]["topUp"] == {"enabled": True, "threshold": "900.000", "mostPerDay": 3}
    await asyncio.gather(*(backend.charge("10", f"k{number}") for number in range(30)))

    # However many ask, and however often, one purchase is made.
    async def ask() -> None:
        async with transaction() as session:
            await wallets.fill_up(session, backend.wallet)

    await asyncio.gather(*(ask() for _ in range(8)))
    await fill(owner)
    assert await owner.fetchval("SELECT count(*) FROM invoices WHERE top_up") == 1
    assert await owner.fetchval("SELECT status FROM invoices WHERE top_up") == "PAID"
    assert await backend.balance() == 1200
    assert await violations() == []


async def test_a_card_of_a_gateway_that_is_gone_buys_nothing(
    backend: Backend, package: str, owner: asyncpg.Connection
) -> None:
    await a_card(backend, owner)
    await set_top_up(backend, package)
    await owner.execute("UPDATE subscriptions SET card_account = 'tbank:OLD'")
    refused = await set_top_up(backend, package)
    assert refused["userErrors"] == [{"code": "CARD_GATEWAY_GONE", "field": ["input", "id"]}]
    await backend.charge("600", "a")
    await fill(owner)
    assert await owner.fetchval("SELECT stopped_because FROM wallet_top_ups") == "CARD_GATEWAY_GONE"
    assert await owner.fetchval("SELECT count(*) FROM invoices WHERE top_up") == 0
    told = await events(owner, "wallet.top_up_failed")
    assert len(told) == 1


async def test_a_day_has_its_limit_and_the_next_goes_on(
    backend: Backend, package: str, owner: asyncpg.Connection
) -> None:
    await a_card(backend, owner)
    await set_top_up(backend, package, mostPerDay=1)
    await backend.charge("600", "a")
    await fill(owner)
    assert await backend.balance() == 900
    await backend.charge("600", "b")
    await fill(owner)
    assert await backend.balance() == 300
    clock.travel(clock.now() + timedelta(days=1, minutes=1))
    async with transaction() as session:
        assert await wallets.sweep_top_ups(session, 10) == 1
    await fill(owner)
    assert await backend.balance() == 800


@pytest.mark.parametrize("card", [LOST_CARD, EMPTY_CARD])
async def test_a_card_that_pays_nothing_stops_it(
    backend: Backend, package: str, owner: asyncpg.Connection, card: str
) -> None:
    await a_card(backend, owner, card)
    await set_top_up(backend, package)
    await backend.charge("600", "a")
    await fill(owner)
    for _ in range(10):
        clock.travel(clock.now() + timedelta(days=1))
        async with transaction() as session:
            await billing.plan_due_charges(session)
            await wallets.sweep_top_ups(session, 10)
        await fill(owner)
    rule = await owner.fetchrow("SELECT enabled, stopped_because FROM wallet_top_ups")
    assert rule is not None
    assert tuple(rule) == (False, "CARD_DECLINED")
    assert await owner.fetch("SELECT DISTINCT status FROM invoices") == [("CANCELED",)]
    assert await owner.fetchval("SELECT count(*) FROM payments") == (1 if card == LOST_CARD else 4)
    assert len(await events(owner, "wallet.top_up_failed")) == 1
    assert await backend.balance() == 400


@pytest.mark.parametrize("sent", [True, False])
async def test_a_purchase_that_waits_is_not_charged_once_it_was_switched_off(
    backend: Backend, package: str, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, sent: bool
) -> None:
    await a_card(backend, owner, EMPTY_CARD if sent else GOOD_CARD)
    await set_top_up(backend, package)
    await backend.charge("600", "a")

    async def unreachable(*_: Any) -> Any:
        raise GatewayUnanswered("the line is dead")

    with monkeypatch.context() as broken:
        if not sent:
            broken.setattr(SandboxGateway, "open", unreachable)
        await fill(owner)
    assert await owner.fetchval("SELECT status FROM invoices") == ("FAILED" if sent else "CHARGING")
    assert (await set_top_up(backend, package, enabled=False))["userErrors"] == []
    clock.travel(clock.now() + timedelta(days=1, minutes=1))
    if not sent:
        await billing.repair_payment(await owner.fetchval("SELECT id FROM payments"))
        assert await owner.fetchval("SELECT error_code FROM payments") == "NOT_NEEDED"
        clock.travel(clock.now() + timedelta(days=3))
    async with transaction() as session:
        assert await billing.plan_due_charges(session) == 1
    await fill(owner)
    assert await owner.fetchval("SELECT status FROM invoices") == "CANCELED"
    assert await owner.fetchval("SELECT count(*) FROM payments") == 1
    assert await backend.balance() == 400


async def test_the_statement_adds_up(backend: Backend, package: str, owner: asyncpg.Connection) -> None:
    start = clock.now()
    await backend.charge("100", "a")
    await buy(backend, package)
    await paid(owner)
    end = clock.now()
    await backend.charge("1", "later")
    asked = {"walletId": backend.wallet_id, "from": start.isoformat(), "to": end.isoformat()}
    told = await payload(STATEMENT, input=asked)
    assert told == {
        "opening": "1000.000",
        "credited": "500.000",
        "debited": "100.000",
        "closing": "1400.000",
        "byKind": [{"kind": "PURCHASE", "amount": "500.000"}, {"kind": "USAGE", "amount": "-100.000"}],
    }
    wrong = await run(STATEMENT, input={**asked, "to": asked["from"]})
    assert wrong["errors"][0]["extensions"]["code"] == "INVALID_VALUE"


async def test_a_refund_takes_coins_back_or_says_what_it_can(
    backend: Backend, package: str, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await buy(backend, package)
    await paid(owner)
    await backend.charge("1200", "k")
    asked = {
        "paymentId": encode_id("Payment", await owner.fetchval("SELECT id FROM payments")),
        "reason": "Too many",
        "idempotencyKey": "r",
    }
    refused = await payload(REFUND, input=asked)
    assert refused["userErrors"][0]["code"] == "COINS_SPENT"
    assert "600.00 RUB" in refused["userErrors"][0]["message"]

    async def no(*_: Any) -> Any:
        raise GatewayRefused("no", "501")

    with monkeypatch.context() as broken:
        broken.setattr(SandboxGateway, "cancel", no)
        failed = await payload(REFUND, input={**asked, "amount": "400", "idempotencyKey": "r2"})
    assert failed["refund"] == {"status": "FAILED", "coinsTaken": "200.000"}
    assert await backend.balance() == 300
    made = await payload(REFUND, input={**asked, "amount": "600", "idempotencyKey": "r3"})
    assert made["refund"] == {"status": "SUCCEEDED", "coinsTaken": "300.000"}
    assert await backend.balance() == 0
    left = await payload(REFUND, input={**asked, "coins": "LEAVE", "idempotencyKey": "r4"})
    assert left["refund"] == {"status": "SUCCEEDED", "coinsTaken": "0.000"}
    assert await owner.fetchval("SELECT status FROM invoices") == "REFUNDED"
    assert await violations() == []


async def test_parts_of_a_refund_take_back_exactly_what_was_bought(backend: Backend, owner: asyncpg.Connection) -> None:
    thirds = (await payload(PACKAGE, input={"name": "100", "coins": "100", "price": "3"}))["coinPackage"]["id"]
    await buy(backend, thirds)
    await paid(owner)
    payment = encode_id("Payment", await owner.fetchval("SELECT id FROM payments"))

    async def refund(key: str, **more: Any) -> dict[str, Any]:
        return await payload(REFUND, input={"paymentId": payment, "reason": "x", "idempotencyKey": key, **more})

    taken = [(await refund(key, amount="1"))["refund"]["coinsTaken"] for key in "ab"]
    await backend.charge("1000.001", "k")
    # A thousandth too few is left for the last third; what may be given back without it is told to the kopeck.
    spent = (await refund("c"))["userErrors"][0]
    assert (spent["code"], "at most 0.99 RUB" in spent["message"]) == ("COINS_SPENT", True)
    taken.append((await refund("d", amount="0.99"))["refund"]["coinsTaken"])
    assert taken == ["33.333", "33.334", "33.000"]
    assert await owner.fetchval("SELECT remaining FROM wallet_lots WHERE source = 'PURCHASE'") == Decimal("0.332")
    assert await violations() == []


async def test_the_whole_in_thirds_leaves_nothing(backend: Backend, owner: asyncpg.Connection) -> None:
    thirds = (await payload(PACKAGE, input={"name": "100", "coins": "100", "price": "3"}))["coinPackage"]["id"]
    await buy(backend, thirds)
    await paid(owner)
    payment = encode_id("Payment", await owner.fetchval("SELECT id FROM payments"))
    for key in "abc":
        asked = {"paymentId": payment, "amount": "1", "reason": "x", "idempotencyKey": key}
        assert (await payload(REFUND, input=asked))["userErrors"] == []
    assert await owner.fetchval("SELECT remaining FROM wallet_lots WHERE source = 'PURCHASE'") == 0
    assert await backend.balance() == 1000


async def test_money_for_a_purchase_that_was_cancelled_goes_back_though_it_bought_nothing(
    backend: Backend, package: str, owner: asyncpg.Connection
) -> None:
    made = await buy(backend, package)
    async with transaction() as session:
        await billing.cancel_invoice(session, STAFF, invoice_id=await owner.fetchval("SELECT id FROM invoices"))
    await paid(owner)
    assert made["invoice"] is not None
    payment = encode_id("Payment", await owner.fetchval("SELECT id FROM payments"))
    told = await payload(
        "query($id: ID!) { paymentPreviewRefund(paymentId: $id) { withCoinsTakenBack { amount } } }", id=payment
    )
    assert told == {"withCoinsTakenBack": None}
    back = await payload(REFUND, input={"paymentId": payment, "reason": "x", "idempotencyKey": "back"})
    assert back["refund"] == {"status": "SUCCEEDED", "coinsTaken": "0.000"}
    assert await owner.fetchval("SELECT status FROM invoices") == "CANCELED"
    assert await backend.balance() == 1000
