"""Each screen of coins is one query of the role that works with it (source 000, 2.7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg

from core import clock
from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from ledger.post import open_wallet
from policies.roles import ROLES
from tests.api import payload, run
from tests.factories.world import a_partner, an_install
from tests.wallets.conftest import Backend, run_messages

BILLING = Principal(kind="staff", permissions=ROLES["BILLING"][1], roles=("BILLING",))
LIST = """
query($filter: WalletFilter, $order: WalletOrder) { wallets(first: 50, filter: $filter, orderBy: $order) {
  totalCount nodes { databaseId balance earned bought spent low lastActivityAt createdAt
    install { id databaseId } partner { name } } } }
"""
CARD = """
query($id: ID!) { wallet(id: $id) { databaseId balance earned bought spent lastActivityAt createdAt
  install { databaseId product { name } } partner { name }
  transactions(first: 50) { nodes { databaseId kind amount balanceAfter description createdAt } } } }
"""
PURCHASES = """
{ invoices(first: 20, filter: { kind: [COIN_PURCHASE] }) { nodes {
    databaseId number coins status paidAt total { amount currency } coinPackage { name }
    install { wallet { id } } payments(first: 1) { nodes { method gateway } } } } }
"""
LETTERS = """
query($install: ID) { deadLetters(filter: { kind: ["usage.charge"], status: [OPEN], installId: $install }) { nodes {
    id kind payload error attempts status createdAt partner { name }
    install { databaseId wallet { id balance } product { name } } } } }
"""
DISCARD = """
mutation($input: DeadLetterDiscardInput!) { deadLetterDiscard(input: $input) {
  deadLetter { status resolvedAt } userErrors { code } } }
"""


async def three_wallets(backend: Backend) -> None:
    """The one of the fixture, which is active, and two others that are empty."""
    for _ in range(2):
        partner = (await a_partner()).id
        install = (await an_install(partner, backend.product)).id
        async with transaction() as session:
            await open_wallet(session, partner_id=partner, install_id=install)
    await backend.charge("250.5", "call")


async def balances(**asked: Any) -> list[str]:
    return [node["balance"] for node in (await payload(LIST, BILLING, **asked))["nodes"]]


async def test_wallets_are_listed_in_every_order_of_the_screen(backend: Backend, owner: asyncpg.Connection) -> None:
    await three_wallets(backend)
    (first, *others) = (await payload(LIST, BILLING, order={"field": "BALANCE"}))["nodes"]
    assert (first["balance"], first["earned"], first["bought"], first["spent"]) == (
        *("749.500", "1000.000", "0.000", "250.500"),
    )
    assert [one["lastActivityAt"] for one in others] == [None, None]
    assert await balances(order={"field": "BALANCE", "direction": "ASC"}) == ["0.000", "0.000", "749.500"]
    assert (await balances(order={"field": "SPENT"}))[0] == "749.500"
    assert (await balances(order={"field": "LAST_ACTIVITY_AT"}))[0] == "749.500"
    assert await balances(filter={"balanceFrom": "0.001"}) == ["749.500"]
    assert await balances(filter={"balanceBefore": "749.5"}) == ["0.000", "0.000"]
    later = (clock.now() + timedelta(days=1)).isoformat()
    assert len(await balances(filter={"activeBefore": later})) == 3
    assert await balances(filter={"activeFrom": later}) == []
    await owner.execute("UPDATE wallets SET low_threshold = 800, low_since = now() WHERE balance > 0")
    assert await balances(filter={"low": True}) == ["749.500"]


async def test_the_card_shows_the_last_movements(backend: Backend) -> None:
    await backend.charge("1", "call")
    card = await payload(CARD, BILLING, id=backend.wallet_id)
    assert [one["kind"] for one in card["transactions"]["nodes"]] == ["USAGE", "BONUS"]
    assert card["transactions"]["nodes"][0]["balanceAfter"] == card["balance"] == "999.000"


async def test_purchases_show_package_way_and_end(backend: Backend, owner: asyncpg.Connection) -> None:
    made = await payload(
        "mutation($i: CoinPackageCreateInput!) { coinPackageCreate(input: $i) { coinPackage { id } userErrors { code } } }",
        BILLING,
        i={"name": "Small", "coins": "300", "price": "270"},
    )
    bought = await payload(
        "mutation($i: CoinPurchaseCreateInput!) { coinPurchaseCreate(input: $i) { invoice { id } userErrors { code } } }",
        BILLING,
        i={"walletId": backend.wallet_id, "packageId": made["coinPackage"]["id"], "idempotencyKey": "b"},
    )
    paid = await payload(
        "mutation($i: InvoiceMarkPaidInput!) { invoiceMarkPaid(input: $i) { userErrors { code } } }",
        BILLING,
        i={"id": bought["invoice"]["id"], "note": "Bank transfer", "idempotencyKey": "p"},
    )
    assert paid["userErrors"] == []
    (row,) = (await payload(PURCHASES, BILLING))["nodes"]
    assert row["coinPackage"] == {"name": "Small"}
    assert (row["coins"], row["total"]["amount"], row["status"]) == ("300.000", "270.00", "PAID")
    assert row["install"]["wallet"]["id"] == backend.wallet_id
    assert row["payments"]["nodes"] == [{"method": "MANUAL", "gateway": "manual"}]
    assert row["paidAt"]


async def test_billing_lets_a_failed_charge_go(backend: Backend, owner: asyncpg.Connection) -> None:
    await backend.charge("5000", "big")
    await run_messages(owner, "usage.charge")
    asked = {"install": encode_id("Install", backend.install)}
    (letter,) = (await payload(LETTERS, BILLING, **asked))["nodes"]
    assert (letter["payload"]["amount"], letter["payload"]["description"]) == ("5000", "Call")
    assert letter["install"]["wallet"] == {"id": backend.wallet_id, "balance": "1000.000"}
    gone = await payload(DISCARD, BILLING, input={"id": letter["id"]})
    assert gone["deadLetter"]["status"] == "DISCARDED"
    assert (await payload(LETTERS, BILLING, **asked))["nodes"] == []
    sales = Principal(kind="staff", permissions=ROLES["SALES"][1], roles=("SALES",))
    assert (await run(LETTERS, sales))["errors"][0]["extensions"]["code"] == "FORBIDDEN"
