"""Products and plans through the API: secrets shown once, versions that were sold kept, bad input refused."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import asyncpg
import orjson
import pytest

from core import crypto
from core.database import transaction
from core.ids import decode_id, encode_id
from core.principal import Principal
from domain.catalog import Term
from policies.roles import ROLES
from services import billing
from tests.api import payload, run
from tests.factories.world import STAFF, a_partner, a_plan, a_product, an_install

PRODUCT = """mutation($input: ProductCreateInput!) { productCreate(input: $input) {
    product { id code trialDays installBonus version projectTokenHint clientSecretMask }
    projectToken eventSecret userErrors { code field } } }"""
CHANGE = """mutation($input: ProductUpdateInput!) { productUpdate(input: $input) {
    product { name version clientSecretMask } userErrors { code field } } }"""
ARCHIVE = """mutation($input: ProductArchiveInput!) { productArchive(input: $input) {
    product { status } userErrors { code field } } }"""
ROTATE = """mutation($input: ProductRotateProjectTokenInput!) { productRotateProjectToken(input: $input) {
    product { projectTokenHint } projectToken userErrors { code } } }"""
REVEAL = """mutation($input: ProductRevealSecretInput!) { productRevealSecret(input: $input) {
    secret userErrors { code field } } }"""
PLAN = """mutation($input: PlanCreateInput!) { planCreate(input: $input) {
    plan { id name version currency minSeats prices { term unitPrice { amount currency } } }
    userErrors { code field } } }"""
PLAN_CHANGE = """mutation($input: PlanUpdateInput!) { planUpdate(input: $input) {
    plan { id version active prices { unitPrice { amount } } } userErrors { code field } } }"""

BASE: dict[str, Any] = {"name": "Widget", "code": "widget", "kind": "WIDGET"}


async def test_secrets_are_shown_once_and_kept_out_of_reach(owner: asyncpg.Connection) -> None:
    asked = {**BASE, "clientSecret": "very-secret", "idempotencyKey": "k"}
    made = await payload(PRODUCT, input=asked)
    token, product = made["projectToken"], made["product"]
    assert made["userErrors"] == []
    assert (product["trialDays"], product["installBonus"], product["version"]) == (14, "1000.000", 1)
    assert product["projectTokenHint"] == token[-4:]
    assert product["clientSecretMask"] == "********"
    again = await payload(PRODUCT, input=asked)
    assert again["product"] == product
    assert (again["projectToken"], again["eventSecret"]) == (None, None)
    stored = await owner.fetchval("SELECT project_token_hash FROM products")
    assert stored == crypto.keyed_hash(token, "project_token")
    for table in ("products", "audit_events", "idempotency_records", "outbox_messages"):
        text = await owner.fetchval(f"SELECT coalesce(string_agg(t::text, ''), '') FROM {table} AS t")
        for secret in (token, made["eventSecret"], "very-secret"):
            assert secret not in text, table


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"installEndpoint": "http://product.example/hook"}, "INVALID_ENDPOINT", "installEndpoint"),
        ({"activateEndpoint": "https://127.0.0.1/hook"}, "INVALID_ENDPOINT", "activateEndpoint"),
        ({"disableEndpoint": "https://10.0.0.5/hook"}, "INVALID_ENDPOINT", "disableEndpoint"),
        ({"disableEndpoint": "https://[::1]/hook"}, "INVALID_ENDPOINT", "disableEndpoint"),
        ({"disableEndpoint": "javascript:alert(1)"}, "INVALID_ENDPOINT", "disableEndpoint"),
        ({"code": "Big Widget"}, "INVALID_VALUE", "code"),
        ({"trialDays": -1}, "INVALID_VALUE", "trialDays"),
        ({"trialDays": None}, "INVALID_VALUE", "trialDays"),
        ({"installBonus": "-1"}, "INVALID_AMOUNT", "installBonus"),
        ({"installBonus": "0.0001"}, "INVALID_AMOUNT", "installBonus"),
        ({"clientSecret": " "}, "INVALID_VALUE", "clientSecret"),
    ],
)
async def test_bad_products_name_their_field(
    owner: asyncpg.Connection, values: dict[str, Any], code: str, field: str
) -> None:
    refused = await payload(PRODUCT, input={**BASE, **values})
    assert refused["product"] is None
    assert refused["projectToken"] is None
    assert refused["userErrors"] == [{"code": code, "field": ["input", field]}]
    assert await owner.fetchval("SELECT count(*) FROM products") == 0


async def test_a_code_is_taken_once_even_by_two_at_a_time(owner: asyncpg.Connection) -> None:
    answers = await asyncio.gather(*(payload(PRODUCT, input=BASE) for _ in range(4)))
    assert sorted(len(answer["userErrors"]) for answer in answers) == [0, 1, 1, 1]
    assert {error["code"] for answer in answers for error in answer["userErrors"]} == {"TAKEN"}
    assert await owner.fetchval("SELECT count(*) FROM products") == 1


async def test_change_archive_and_rotate(database_url: str) -> None:
    made = await a_product(client_secret="old")
    product_id = encode_id("Product", made.product.id)
    changed = await payload(CHANGE, input={"id": product_id, "version": 1, "name": "New", "clientSecret": None})
    assert changed["product"] == {"name": "New", "version": 2, "clientSecretMask": None}
    rotated = await payload(ROTATE, input={"id": product_id})
    assert rotated["projectToken"] not in (None, made.project_token)
    archived = await payload(ARCHIVE, input={"id": product_id, "version": 2})
    assert archived["product"] == {"status": "ARCHIVED"}
    refused = await payload(PLAN, input={"productId": product_id, "name": "Basic", "prices": [PRICE]})
    assert refused["userErrors"] == [{"code": "CONFLICT", "field": ["input", "productId"]}]


async def test_revealing_a_secret_is_audited_and_told_once(owner: asyncpg.Connection) -> None:
    made = await a_product(client_secret="very-secret")
    asked = {"id": encode_id("Product", made.product.id), "reason": "the CRM asks for it again", "idempotencyKey": "k"}
    told = await payload(REVEAL, input={**asked, "secret": "CLIENT_SECRET"})
    assert (told["secret"], told["userErrors"]) == ("very-secret", [])
    assert (await payload(REVEAL, input={**asked, "secret": "CLIENT_SECRET"}))["secret"] is None
    assert (await payload(REVEAL, input={**asked, "secret": "EVENT_SECRET", "idempotencyKey": "l"}))[
        "secret"
    ] == made.event_secret
    written = await owner.fetch("SELECT after FROM audit_events WHERE action = 'product.reveal_secret' ORDER BY id")
    assert [orjson.loads(row["after"]) for row in written] == [
        {"revealed": which, "reason": "the CRM asks for it again"} for which in ("CLIENT_SECRET", "EVENT_SECRET")
    ]
    for table in ("products", "audit_events", "idempotency_records"):
        text = await owner.fetchval(f"SELECT coalesce(string_agg(t::text, ''), '') FROM {table} AS t")
        assert [secret for secret in ("very-secret", made.event_secret) if secret in text] == [], table
    del asked["idempotencyKey"]
    await owner.execute("UPDATE products SET client_secret_encrypted = NULL")
    for wrong, code, field in (
        ({"secret": "CLIENT_SECRET"}, "NO_SECRET", "secret"),
        ({"secret": "EVENT_SECRET", "reason": " "}, "INVALID_VALUE", "reason"),
        ({"secret": "EVENT_SECRET", "id": encode_id("Product", 999)}, "NOT_FOUND", "id"),
    ):
        refused = await payload(REVEAL, input={**asked, **wrong})
        assert (refused["secret"], refused["userErrors"]) == (None, [{"code": code, "field": ["input", field]}])
    developer = Principal(kind="staff", permissions=ROLES["DEVELOPER"][1])
    answer = await run(REVEAL, developer, input={**asked, "secret": "EVENT_SECRET"})
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


PRICE = {"term": "MONTH", "unitPrice": "99.50"}


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"prices": []}, "INVALID_VALUE", "prices"),
        ({"prices": [PRICE, PRICE]}, "INVALID_VALUE", "prices"),
        ({"prices": [{"term": "MONTH", "unitPrice": "0.001"}]}, "INVALID_AMOUNT", "prices"),
        ({"prices": [{"term": "MONTH", "unitPrice": "-1"}]}, "INVALID_AMOUNT", "prices"),
        ({"minSeats": 0}, "INVALID_VALUE", "minSeats"),
        ({"graceDays": -1}, "INVALID_VALUE", "graceDays"),
        ({"currency": "rub"}, "INVALID_VALUE", "currency"),
        ({"name": ""}, "INVALID_VALUE", "name"),
        ({"productId": encode_id("Product", 999)}, "NOT_FOUND", "productId"),
    ],
)
async def test_bad_plans_name_their_field(
    owner: asyncpg.Connection, values: dict[str, Any], code: str, field: str
) -> None:
    product_id = encode_id("Product", (await a_product()).product.id)
    asked = {"productId": product_id, "name": "Basic", "prices": [PRICE], **values}
    refused = await payload(PLAN, input=asked)
    assert refused["userErrors"] == [{"code": code, "field": ["input", field]}]
    assert await owner.fetchval("SELECT count(*) FROM plans") == 0


async def test_an_unsold_plan_changes_in_place(database_url: str) -> None:
    product_id = encode_id("Product", (await a_product()).product.id)
    made = await payload(PLAN, input={"productId": product_id, "name": "Basic", "prices": [PRICE]})
    assert made["plan"]["prices"] == [{"term": "MONTH", "unitPrice": {"amount": "99.50", "currency": "RUB"}}]
    changed = await payload(
        PLAN_CHANGE, input={"id": made["plan"]["id"], "prices": [{"term": "YEAR", "unitPrice": "80"}]}
    )
    assert changed["plan"] == {
        "id": made["plan"]["id"],
        "version": 1,
        "active": True,
        "prices": [{"unitPrice": {"amount": "80.00"}}],
    }


async def test_a_sold_plan_gets_a_next_version(owner: asyncpg.Connection) -> None:
    product = (await a_product()).product
    plan = await a_plan(product.id)
    install = await an_install((await a_partner()).id, product.id)
    async with transaction() as session:
        await billing.create_subscription(session, STAFF, install_id=install.id, plan_id=plan.id, term=Term.MONTH)
    plan_id = encode_id("Plan", plan.id)
    same = await payload(PLAN_CHANGE, input={"id": plan_id, "minSeats": 1})
    assert same["plan"]["version"] == 1
    changed = await payload(PLAN_CHANGE, input={"id": plan_id, "minSeats": 3})
    assert changed["userErrors"] == []
    assert changed["plan"]["version"] == 2
    assert decode_id(changed["plan"]["id"])[1] != plan.id
    assert len(changed["plan"]["prices"]) == 3
    old = await owner.fetchrow("SELECT min_seats, active FROM plans WHERE id = $1", plan.id)
    assert old is not None
    assert (old["min_seats"], old["active"]) == (1, False)
    kept = await owner.fetchval("SELECT unit_price FROM plan_prices WHERE plan_id = $1 AND term = 'MONTH'", plan.id)
    assert kept == Decimal(100)
    late = await payload(PLAN_CHANGE, input={"id": plan_id, "minSeats": 4})
    assert late["userErrors"] == [{"code": "CONFLICT", "field": ["input", "id"]}]


async def test_billing_may_price_but_not_register(owner: asyncpg.Connection) -> None:
    clerk = Principal(kind="staff", permissions=ROLES["BILLING"][1])
    product_id = encode_id("Product", (await a_product()).product.id)
    made = await payload(PLAN, clerk, input={"productId": product_id, "name": "Basic", "prices": [PRICE]})
    assert made["userErrors"] == []
    refused = await run(PRODUCT, clerk, input=BASE)
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await owner.fetchval("SELECT count(*) FROM products") == 1
