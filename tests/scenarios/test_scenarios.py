"""The eight typical scenarios, with the documents of their page, over HTTP, by the role that would do it (source 000, 3)."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from core.database import transaction
from core.ids import encode_id
from ledger.verify import verify
from services import demo
from services.billing.verify import verify_billing
from tests.amocrm.conftest import BASE, SECRET, Crm, crm, run_messages

__all__ = ["crm"]

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "scenarios.md").read_text()
DOCUMENTS = {
    re.findall(r"(?:query|mutation) (\w+)", block)[0]: block
    for block in re.findall(r"```graphql\n(.*?)```", PAGE, re.S)
}
PASSWORD = "correct horse battery"
DOMAIN = "customer.amocrm.ru"


class Person:
    """Somebody who is signed in."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self._http = http
        self._token = token

    async def ask(self, name: str, **variables: Any) -> dict[str, Any]:
        """Run a document of the page; refuses errors of any sort."""
        answer = await self._http.post(
            "/graphql",
            json={"query": DOCUMENTS[name], "variables": variables},
            headers={"Authorization": f"Bearer {self._token}"},
        )
        told: dict[str, Any] = answer.json()
        assert "errors" not in told, told["errors"]
        for value in told["data"].values():
            assert not (isinstance(value, dict) and value.get("userErrors")), value
        data: dict[str, Any] = told["data"]
        return data


@pytest.fixture
async def house(crm: Crm, owner: asyncpg.Connection) -> AsyncIterator[dict[str, Person]]:
    """The demo world's people, each signed in over HTTP."""
    async with transaction() as session:
        await demo.seed(session, password=PASSWORD)
    people = {}
    for name in ("superadmin", "billing", "implementation"):
        answer = await crm.http.post(
            "/graphql",
            json={
                "query": "mutation($i: SignInInput!) { signIn(input: $i) { accessToken } }",
                "variables": {"i": {"email": f"{name}@demo.test", "password": PASSWORD}},
            },
        )
        people[name] = Person(crm.http, answer.json()["data"]["signIn"]["accessToken"])
    return people


async def pay(crm: Crm, owner: asyncpg.Connection, link: str) -> None:
    """Press "Pay" on the gateway's page."""
    parts = urlsplit(link)
    assert f"{parts.scheme}://{parts.netloc}" == BASE
    assert (await crm.http.get(parts.path)).status_code == 200
    assert (await crm.http.post(parts.path, content="action=pay")).status_code == 303
    await run_messages(owner, "payment.notification")


async def test_the_eight_scenarios(crm: Crm, house: dict[str, Person], owner: asyncpg.Connection) -> None:
    superadmin, billing, implementation = house["superadmin"], house["billing"], house["implementation"]

    # 1. A new widget is registered.
    client = str(uuid.uuid4())
    crm.secrets[client] = SECRET
    made = (
        await superadmin.ask(
            "RegisterWidget",
            input={
                "name": "Call transcripts",
                "code": "call-transcripts",
                "kind": "WIDGET",
                "clientUuid": client,
                "clientSecret": SECRET,
                "installBonus": "100",
                "installEndpoint": "https://widget.example/install",
                "activateEndpoint": "https://widget.example/activate",
                "disableEndpoint": "https://widget.example/disable",
            },
        )
    )["productCreate"]
    assert made["projectToken"].startswith("kpt_")
    product = made["product"]["id"]
    prices = [
        {"term": term, "unitPrice": price} for term, price in (("MONTH", "495"), ("HALF_YEAR", "450"), ("YEAR", "400"))
    ]
    plan = (
        await superadmin.ask(
            "CreatePlan", input={"productId": product, "name": "Basic", "minSeats": 2, "prices": prices}
        )
    )["planCreate"]["plan"]
    code = crm.emulator.install(DOMAIN, client)
    installed = await crm.http.get("/amocrm/oauth", params=crm.emulator.redirect(DOMAIN, client, code))
    assert installed.status_code == 200
    assert (
        await owner.fetchval(
            "SELECT count(*) FROM subscriptions s JOIN installs i ON i.id = s.install_id JOIN "
            "products p ON p.id = i.product_id WHERE p.code = 'call-transcripts' AND s.status = 'TRIAL'"
        )
        == 1
    )

    # 2. A widget is activated for a customer.
    (found,) = (await implementation.ask("FindInstall", product=product))["installs"]["nodes"]
    assert found["partner"]["amocrmDomain"] == DOMAIN
    assert found["oauthTokens"]["nodes"][0]["active"] is True
    install = found["id"]
    active = (await implementation.ask("Activate", input={"id": install}))["installActivate"]["install"]
    assert active["status"] == "ACTIVATED"
    assert active["subscription"]["status"] == "TRIAL"
    assert active["wallet"] == {"balance": "100.000"}

    # 3. A subscription is billed.
    order = {"planId": plan["id"], "term": "HALF_YEAR", "seats": 5}
    quote = (await billing.ask("Preview", input=order))["subscriptionPreview"]
    assert (quote["months"], quote["total"]) == (6, {"amount": "13500.00", "currency": "RUB"})
    billed = (await billing.ask("Order", input={"installId": install, **order, "idempotencyKey": "s3"}))[
        "subscriptionCreate"
    ]
    assert billed["invoice"]["total"] == quote["total"]
    await pay(crm, owner, billed["payment"]["paymentLink"])

    # 4. Coins are billed.
    package = (await billing.ask("SellPackage", input={"name": "1000 FC", "coins": "1000", "price": "900"}))[
        "coinPackageCreate"
    ]["coinPackage"]["id"]
    wallet = await wallet_of(superadmin, crm, install)
    coins = (await billing.ask("BillCoins", input={"walletId": wallet, "packageId": package, "idempotencyKey": "s4"}))[
        "coinPurchaseCreate"
    ]
    assert coins["invoice"]["coins"] == "1000.000"
    await pay(crm, owner, coins["payment"]["paymentLink"])

    # 5. Bonus coins are given.
    bonus = (
        await billing.ask(
            "Bonus", input={"id": wallet, "amount": "0.5", "reason": "Compensation", "idempotencyKey": "s5"}
        )
    )["walletGrantBonus"]
    assert bonus["wallet"] == {"balance": "1100.500"}
    assert bonus["transaction"] == {"kind": "BONUS", "amount": "0.500", "description": "Compensation"}

    # 6. A subscription is extended after a bank transfer.
    row = await owner.fetchrow(
        "SELECT id, ends_at, version FROM subscriptions WHERE status = 'ACTIVE' ORDER BY id DESC LIMIT 1"
    )
    assert row is not None
    until: datetime = row["ends_at"] + timedelta(days=30)
    extended = (
        await billing.ask(
            "Extend",
            input={
                "id": encode_id("Subscription", row["id"]),
                "version": row["version"],
                "until": until.isoformat(),
                "paidAmount": "2250",
                "note": "Bank transfer 77",
                "idempotencyKey": "s6",
            },
        )
    )["subscriptionExtend"]["subscription"]
    assert datetime.fromisoformat(extended["endsAt"]) == until

    # 7. A widget asks to be connected again.
    tokens = (await implementation.ask("Tokens", install=install))["install"]["oauthTokens"]["nodes"]
    assert tokens[0]["refreshedAt"] is None
    await implementation.ask("Refresh", input={"installId": install})
    assert await run_messages(owner, "oauth_token.refresh") == 1
    tokens = (await implementation.ask("Tokens", install=install))["install"]["oauthTokens"]["nodes"]
    assert (tokens[0]["refreshedAt"] is not None, tokens[0]["invalidBecause"]) == (True, None)

    # 8. Unpaid invoices are watched.
    waiting = await billing.ask("Unpaid")
    assert waiting["dashboard"]["unpaid"] == len(waiting["invoices"]["nodes"])
    assert Decimal(waiting["dashboard"]["owed"][0]["amount"]) == sum(
        Decimal(one["total"]["amount"]) for one in waiting["invoices"]["nodes"]
    )
    link = (await billing.ask("FreshLink", input={"id": waiting["invoices"]["nodes"][0]["id"]}))[
        "invoiceRefreshPaymentLink"
    ]["payment"]["paymentLink"]
    assert link.startswith(BASE)

    async with transaction() as session:
        assert await verify(session) == []
        assert await verify_billing(session) == []


async def wallet_of(who: Person, crm: Crm, install: str) -> str:
    """The wallet's id, as the install's card shows it."""
    answer = await crm.http.post(
        "/graphql",
        json={"query": "query($id: ID!) { install(id: $id) { wallet { id } } }", "variables": {"id": install}},
        headers={"Authorization": f"Bearer {who._token}"},
    )
    found: str = answer.json()["data"]["install"]["wallet"]["id"]
    return found


def test_every_document_of_the_page_is_run() -> None:
    source = Path(__file__).read_text()
    assert [name for name in DOCUMENTS if f'"{name}"' not in source] == []
