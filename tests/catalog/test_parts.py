"""Modules and limits of plans, and what may be deleted: only what was never used (CAT-1, CAT-2, CAT-3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from core.database import transaction
from core.ids import encode_id
from domain.catalog import Term
from services import billing
from services.catalog import packages
from services.install_state import install_state
from tests.api import payload
from tests.factories.world import STAFF, a_partner, a_plan, a_product, an_install
from web.install_state import told_state

MODULE = """mutation($input: ModuleCreateInput!) { moduleCreate(input: $input) {
    module { id code version } userErrors { code field } } }"""
MODULE_CHANGE = """mutation($input: ModuleUpdateInput!) { moduleUpdate(input: $input) {
    module { name active } userErrors { code field } } }"""
PLAN = """mutation($input: PlanCreateInput!) { planCreate(input: $input) {
    plan { id version mostUsers apiRequestsPerMinute planModules { module { code } } } userErrors { code field } } }"""
PLAN_CHANGE = """mutation($input: PlanUpdateInput!) { planUpdate(input: $input) {
    plan { id version mostUsers planModules { module { code } } } userErrors { code field } } }"""
PRICE = {"term": "MONTH", "unitPrice": "100"}


async def a_module(product: str, code: str) -> str:
    made = await payload(MODULE, input={"productId": product, "code": code, "name": code.title()})
    assert made["userErrors"] == []
    found: str = made["module"]["id"]
    return found


async def delete(kind: str, key: int | str, version: int | None = 1) -> list[tuple[str, str]]:
    input_type = "PlanDeleteInput" if version is None else "UnusedDeleteInput"
    field = kind[0].lower() + kind[1:] + "Delete"
    source = f"mutation($input: {input_type}!) {{ {field}(input: $input) {{ deletedId userErrors {{ code field }} }} }}"
    given = {"id": encode_id(kind, key) if isinstance(key, int) else key}
    told = await payload(source, input=given if version is None else {**given, "version": version})
    assert (told["deletedId"] is None) == bool(told["userErrors"])
    return [(error["code"], error["field"][-1]) for error in told["userErrors"]]


def codes(plan: dict[str, Any]) -> list[str]:
    return [one["module"]["code"] for one in plan["planModules"]]


async def test_plans_include_modules_and_set_limits_and_products_are_told(owner: asyncpg.Connection) -> None:
    product = (await a_product()).product
    product_id = encode_id("Product", product.id)
    calls, chats = await a_module(product_id, "calls"), await a_module(product_id, "chats")
    foreign = await a_module(encode_id("Product", (await a_product()).product.id), "calls")
    taken = await payload(MODULE, input={"productId": product_id, "code": "calls", "name": "x"})
    assert taken["userErrors"] == [{"code": "TAKEN", "field": ["input", "code"]}]
    asked = {"productId": product_id, "name": "Pro", "prices": [PRICE], "mostUsers": 50, "apiRequestsPerMinute": 600}
    for wrong in ([foreign], [encode_id("Module", 999)]):
        refused = await payload(PLAN, input={**asked, "moduleIds": wrong})
        assert refused["userErrors"] == [{"code": "NOT_FOUND", "field": ["input", "moduleIds"]}]
    zero = await payload(PLAN, input={**asked, "mostUsers": 0})
    assert zero["userErrors"] == [{"code": "INVALID_VALUE", "field": ["input", "mostUsers"]}]
    plan = (await payload(PLAN, input={**asked, "moduleIds": [calls, calls]}))["plan"]
    assert (plan["mostUsers"], plan["apiRequestsPerMinute"], codes(plan)) == (50, 600, ["calls"])

    install = await an_install((await a_partner()).id, product.id)
    plan_key = await owner.fetchval("SELECT id FROM plans WHERE name = 'Pro'")
    async with transaction() as session:
        invoice, _ = await billing.create_subscription(
            session, STAFF, install_id=install.id, plan_id=plan_key, term=Term.MONTH
        )
        await billing.mark_paid(session, STAFF, invoice_id=invoice.id, note="paid")
        told = told_state(await install_state(session, install.id))["subscription"]
    assert told["modules"] == ["calls"]
    assert told["limits"] == {"users": 50, "departments": None, "integrations": None, "apiRequestsPerMinute": 600}

    withdrawn = await payload(MODULE_CHANGE, input={"id": calls, "version": 1, "name": "Calls", "active": False})
    assert withdrawn["module"] == {"name": "Calls", "active": False}
    following = (await payload(PLAN_CHANGE, input={"id": plan["id"], "moduleIds": [chats, calls], "mostUsers": None}))[
        "plan"
    ]
    assert (following["version"], following["mostUsers"], codes(following)) == (2, None, ["calls", "chats"])
    kept = await owner.fetchrow("SELECT most_users, active FROM plans WHERE id = $1", plan_key)
    assert kept is not None
    assert tuple(kept) == (50, False), "what was sold never changes"
    in_place = (await payload(PLAN_CHANGE, input={"id": following["id"], "moduleIds": [chats]}))["plan"]
    assert (in_place["version"], codes(in_place)) == (2, ["chats"])
    again = await payload(PLAN_CHANGE, input={"id": following["id"], "moduleIds": [calls]})
    assert again["userErrors"], "a withdrawn module comes to no new plan"
    assert await delete("Module", calls, 2) == [("IN_USE", "id")]


async def test_a_plan_that_renewals_wait_for_is_sold(owner: asyncpg.Connection) -> None:
    product = (await a_product()).product
    first, second = await a_plan(product.id), await a_plan(product.id)
    install = await an_install((await a_partner()).id, product.id)
    async with transaction() as session:
        invoice, _ = await billing.create_subscription(
            session, STAFF, install_id=install.id, plan_id=first.id, term=Term.MONTH
        )
        await billing.mark_paid(session, STAFF, invoice_id=invoice.id, note="paid")
    await owner.execute("UPDATE subscriptions SET pending_plan_id = $1", second.id)
    changed = await payload(PLAN_CHANGE, input={"id": encode_id("Plan", second.id), "mostUsers": 5})
    assert changed["plan"]["version"] == 2
    assert await delete("Plan", second.id, None) == [("IN_USE", "id")]


async def test_only_what_was_never_used_is_deleted(owner: asyncpg.Connection) -> None:
    product, used = (await a_product()).product, (await a_product()).product
    module = await a_module(encode_id("Product", product.id), "calls")
    plan, spare = await a_plan(product.id), await a_plan(product.id)
    async with transaction() as session:
        coins = packages.PackageValues(name="Small", coins=Decimal(100), price=Decimal(10))
        for owner_id in (product.id, None):
            await packages.create(session, STAFF, product_id=owner_id, currency="RUB", values=coins)
    await an_install((await a_partner()).id, used.id)
    assert await delete("Product", used.id) == [("IN_USE", "id")]
    assert await owner.fetchval("SELECT version FROM products WHERE id = $1", used.id) == 1
    assert await delete("Product", product.id, 7) == [("VERSION_CONFLICT", "version")]
    assert await delete("Plan", spare.id, None) == []
    assert (
        await delete("CoinPackage", await owner.fetchval("SELECT id FROM coin_packages WHERE product_id IS NULL")) == []
    )
    assert await delete("Product", product.id) == []
    for table in ("plans", "plan_prices", "modules", "coin_packages"):
        assert await owner.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    assert await delete("Module", module) == [("NOT_FOUND", "id")]
    assert await delete("Plan", plan.id, None) == [("NOT_FOUND", "id")]
    told = await owner.fetch("SELECT action, before FROM audit_events WHERE action LIKE '%.delete' ORDER BY id")
    assert [line["action"] for line in told] == ["plan.delete", "coin_package.delete", "product.delete"]


@pytest.mark.parametrize("times", [1, 2])
async def test_an_archived_product_is_restored(owner: asyncpg.Connection, times: int) -> None:
    product = (await a_product()).product
    key = encode_id("Product", product.id)
    source = "mutation($input: ProductArchiveInput!) { %s(input: $input) { product { status version } userErrors { code } } }"
    await payload(source % "productArchive", input={"id": key, "version": 1})
    for _ in range(times):
        back = await payload(source % "productRestore", input={"id": key, "version": 2})
    assert back["product"] == {"status": "ACTIVE", "version": 3}
