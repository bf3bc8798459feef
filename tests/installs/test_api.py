"""Installs through the API: activation happens once, needs a token for widgets, and gives trial, wallet and event."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import asyncpg

from core import clock
from core.database import transaction
from core.ids import encode_id
from domain.catalog import ProductKind
from services import installs
from tests.api import payload, run
from tests.factories.world import STAFF, a_partner, a_product, an_install, tokens_for

CREATE = """mutation($input: InstallCreateInput!) { installCreate(input: $input) {
    install { id status subscriptionKind partner { name } } userErrors { code field } } }"""
ACTIVATE = """mutation($input: InstallActivateInput!) { installActivate(input: $input) { install {
    status subscriptionKind subscribedUntil activatedAt
    wallet { balance earned transactions { nodes { kind amount entries { amount account { kind } } } } }
    subscription { status seats }
    events { nodes { type sequence } } } userErrors { code message field } } }"""
DISABLE = """mutation($input: InstallDisableInput!) { installDisable(input: $input) {
    install { status disabledAt oauthTokens { nodes { active } } } userErrors { code } } }"""


async def test_create_once(owner: asyncpg.Connection) -> None:
    partner, product = await a_partner(name="Orion"), (await a_product()).product
    asked = {"partnerId": encode_id("Partner", partner.id), "productId": encode_id("Product", product.id)}
    made = await payload(CREATE, input=asked)
    assert made["install"]["status"] == "INSTALLED"
    assert made["install"]["partner"] == {"name": "Orion"}
    twice = await payload(CREATE, input=asked)
    assert twice["userErrors"] == [{"code": "TAKEN", "field": ["input", "productId"]}]
    assert await owner.fetchval("SELECT count(*) FROM installs") == 1


async def test_another_partners_contact_is_not_found(owner: asyncpg.Connection) -> None:
    partner, product = await a_partner(), (await a_product()).product
    stranger = await owner.fetchval(
        "INSERT INTO contacts (partner_id, full_name) VALUES ($1, 'x') RETURNING id", (await a_partner()).id
    )
    refused = await payload(
        CREATE,
        input={
            "partnerId": encode_id("Partner", partner.id),
            "productId": encode_id("Product", product.id),
            "contactId": encode_id("Contact", stranger),
        },
    )
    assert refused["userErrors"] == [{"code": "NOT_FOUND", "field": ["input", "contactId"]}]


async def test_activation_gives_trial_wallet_and_event(database_url: str) -> None:
    product = (await a_product(trial_days=10, install_bonus=Decimal("50.5"))).product
    install = await an_install((await a_partner()).id, product.id)
    made = (await payload(ACTIVATE, input={"id": encode_id("Install", install.id)}))["install"]
    assert (made["status"], made["subscriptionKind"]) == ("ACTIVATED", "TRIAL")
    assert made["subscription"] == {"status": "TRIAL", "seats": 5}
    assert (made["wallet"]["balance"], made["wallet"]["earned"]) == ("50.500", "50.500")
    (movement,) = made["wallet"]["transactions"]["nodes"]
    legs = {entry["account"]["kind"]: entry["amount"] for entry in movement["entries"]}
    assert legs == {"WALLET": "50.500", "BONUS": "-50.500"}
    assert [event["type"] for event in made["events"]["nodes"]] == ["install.activated", "install.created"]


async def test_many_activations_at_once_are_one(owner: asyncpg.Connection) -> None:
    install = await an_install((await a_partner()).id, (await a_product()).product.id)
    asked = {"id": encode_id("Install", install.id)}
    answers = await asyncio.gather(*(payload(ACTIVATE, input=asked) for _ in range(6)))
    assert all(answer["userErrors"] == [] for answer in answers)
    assert await owner.fetchval("SELECT balance FROM wallets") == Decimal(1000)
    for table, rows in (("subscriptions", 1), ("wallet_transactions", 1), ("ledger_entries", 2), ("product_events", 2)):
        assert await owner.fetchval(f"SELECT count(*) FROM {table}") == rows


async def test_a_widget_without_a_valid_token_must_be_installed_again(owner: asyncpg.Connection) -> None:
    product = (await a_product(kind=ProductKind.WIDGET)).product
    bare = await an_install((await a_partner()).id, product.id)
    expired = await an_install((await a_partner()).id, product.id, tokens=tokens_for(1))
    lost = await an_install((await a_partner()).id, product.id, tokens=tokens_for(24))
    await owner.execute("UPDATE oauth_tokens SET invalid_because = 'revoked' WHERE install_id = $1", lost.id)
    clock.travel(clock.now() + timedelta(hours=2))
    for install in (bare, expired, lost):
        refused = await payload(ACTIVATE, input={"id": encode_id("Install", install.id)})
        (error,) = refused["userErrors"]
        assert error["code"] == "REINSTALL_NEEDED"
        assert "install the widget again" in error["message"]
    assert await owner.fetchval("SELECT count(*) FROM wallets") == 0
    assert await owner.fetchval("SELECT count(*) FROM subscriptions") == 0


async def test_a_widget_with_a_token_is_activated(database_url: str) -> None:
    product = (await a_product(kind=ProductKind.WIDGET)).product
    install = await an_install((await a_partner()).id, product.id, tokens=tokens_for(1))
    made = await payload(ACTIVATE, input={"id": encode_id("Install", install.id)})
    assert made["install"]["status"] == "ACTIVATED"


async def test_disable_and_install_again_keeps_the_balance_and_gives_no_second_bonus(owner: asyncpg.Connection) -> None:
    partner, product = await a_partner(), (await a_product(kind=ProductKind.WIDGET)).product
    install = await an_install(partner.id, product.id, tokens=tokens_for(1))
    key = {"id": encode_id("Install", install.id)}
    await payload(ACTIVATE, input=key)
    gone = await payload(DISABLE, input=key)
    assert gone["install"]["status"] == "DISABLED"
    assert gone["install"]["oauthTokens"]["nodes"] == [{"active": False}]
    refused = await payload(ACTIVATE, input=key)
    assert refused["userErrors"][0]["code"] == "CONFLICT"
    async with transaction() as session:
        again = await installs.create(
            session, STAFF, partner_id=partner.id, product_id=product.id, tokens=tokens_for(1)
        )
    assert again.id == install.id
    made = await payload(ACTIVATE, input=key)
    assert made["install"]["wallet"]["balance"] == "1000.000"
    assert await owner.fetchval("SELECT count(*) FROM subscriptions") == 1
    assert await owner.fetchval("SELECT count(*) FROM installs") == 1


async def test_products_without_trial_and_wallet(owner: asyncpg.Connection) -> None:
    product = (await a_product(trial_days=0, wallet_enabled=False)).product
    install = await an_install((await a_partner()).id, product.id)
    made = (await payload(ACTIVATE, input={"id": encode_id("Install", install.id)}))["install"]
    assert (made["subscriptionKind"], made["subscription"], made["wallet"]) == ("NONE", None, None)
    assert await owner.fetchval("SELECT count(*) FROM wallets") == 0


async def test_lists_are_ordered_by_the_end_with_cursors(owner: asyncpg.Connection) -> None:
    product = (await a_product()).product
    made = [(await an_install((await a_partner()).id, product.id)).id for _ in range(3)]
    await owner.execute("UPDATE installs SET subscribed_until = now() + id * interval '1 day' WHERE id <> $1", made[1])
    source = """query($after: String, $product: ID!) { installs(first: 1, after: $after,
        filter: { productId: $product, subscriptionKind: [NONE] },
        orderBy: { field: SUBSCRIBED_UNTIL, direction: DESC }) {
        nodes { databaseId subscribedUntil oauthTokens(first: 1) { nodes { authorizationLost } } }
        edges { cursor } totalCount pageInfo { hasNextPage } } }"""
    found: list[int] = []
    after = None
    for _ in made:
        answer = await run(source, after=after, product=encode_id("Product", product.id))
        page = answer["data"]["installs"]
        found.append(int(page["nodes"][0]["databaseId"]))
        after = page["edges"][0]["cursor"]
    assert found == [made[2], made[0], made[1]], "an install that is not subscribed comes last"
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (3, False)


async def test_unknown_and_wrong_ids(database_url: str) -> None:
    for key, code in ((encode_id("Install", 999_999), "NOT_FOUND"), (encode_id("Partner", 1), "INVALID_ID")):
        refused = await payload(ACTIVATE, input={"id": key})
        assert refused["install"] is None
        assert [(error["code"], error["field"]) for error in refused["userErrors"]] == [(code, ["input", "id"])]
