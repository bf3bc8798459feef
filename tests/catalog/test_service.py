"""A plan's change and its first sale at the same moment."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import asyncpg

from core.database import transaction
from domain.catalog import Term
from services import billing
from services.catalog import plans
from tests.factories.world import STAFF, a_partner, a_plan, a_product, an_install

NEW_PRICES = [plans.Price(Term.MONTH, Decimal(500))]


async def test_a_sale_waits_for_the_change_and_takes_its_price(owner: asyncpg.Connection) -> None:
    product = (await a_product()).product
    plan = await a_plan(product.id)
    install = await an_install((await a_partner()).id, product.id)

    async def sell() -> None:
        async with transaction() as session:
            await billing.create_subscription(session, STAFF, install_id=install.id, plan_id=plan.id, term=Term.MONTH)

    async with transaction() as session:
        await plans.change(session, STAFF, plan_id=plan.id, values=plans.PlanValues(prices=NEW_PRICES))
        sale = asyncio.create_task(sell())
        await asyncio.sleep(0.3)
        assert not sale.done()
    await sale
    assert await owner.fetchval("SELECT unit_price FROM invoices") == Decimal(500)


async def test_a_change_waits_for_the_sale_and_makes_the_next_version(owner: asyncpg.Connection) -> None:
    product = (await a_product()).product
    plan = await a_plan(product.id)
    install = await an_install((await a_partner()).id, product.id)

    async def change() -> None:
        async with transaction() as session:
            await plans.change(session, STAFF, plan_id=plan.id, values=plans.PlanValues(prices=NEW_PRICES))

    async with transaction() as session:
        await billing.create_subscription(session, STAFF, install_id=install.id, plan_id=plan.id, term=Term.MONTH)
        changing = asyncio.create_task(change())
        await asyncio.sleep(0.3)
        assert not changing.done()
    await changing
    assert await owner.fetchval("SELECT unit_price FROM invoices") == Decimal(100)
    assert await owner.fetchval("SELECT max(version) FROM plans") == 2
    kept = "SELECT unit_price FROM plan_prices WHERE plan_id = $1 AND term = 'MONTH'"
    assert await owner.fetchval(kept, plan.id) == Decimal(100)
