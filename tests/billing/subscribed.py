"""A paid subscription of the world's install, and shorter ways to change it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg

from core import clock
from core.database import transaction
from core.principal import Principal
from domain.catalog import PricingModel, Term
from models import Plan, PlanPrice, Subscription
from services import billing
from tests.billing.conftest import STAFF, World

# Half a year from 31 January, 5 seats at 100: worth 3,000, ends on 31 July 2027.
STARTED = datetime(2027, 1, 31, 9, 0, tzinfo=UTC)
OWNER_PERMISSIONS = frozenset(
    {"subscription:read", "subscription:change", "plan:read", "install:read", "invoice:read", "invoice:pay", "payment:read"}
)  # fmt: skip


@dataclass(frozen=True)
class Subscribed:
    """Keys of the subscription's world."""

    world: World
    subscription: int

    @property
    def partner_owner(self) -> Principal:
        """Who may change it at the partner."""
        return Principal(kind="partner", partner_id=self.world.partner, permissions=OWNER_PERMISSIONS)


async def subscribe(world: World, *, term: Term = Term.HALF_YEAR, seats: int = 5, **more: Any) -> Subscribed:
    """Order and pay by hand, at ``STARTED`` where the clock was not moved before."""
    if clock.now() < STARTED:
        clock.travel(STARTED)
    async with transaction() as session:
        invoice, _ = await billing.create_subscription(
            session, STAFF, install_id=world.install, plan_id=world.plan, term=term, seats=seats, **more
        )
        await billing.mark_paid(session, STAFF, invoice_id=invoice.id, note="paid")
        assert invoice.subscription_id is not None
        return Subscribed(world, invoice.subscription_id)


async def a_plan(
    world: World, name: str, price: str, *, model: PricingModel = PricingModel.PER_SEAT, least: int = 1
) -> int:
    """Another plan of the product, with one price for all terms."""
    async with transaction() as session:
        plan = Plan(product_id=world.product, name=name, min_seats=least, pricing_model=model)
        session.add(plan)
        await session.flush()
        for term in Term:
            session.add(PlanPrice(plan_id=plan.id, term=term, unit_price=Decimal(price), currency="RUB"))
        return plan.id


async def change(verb: Any, made: Subscribed, actor: Principal = STAFF, **arguments: Any) -> Any:
    """Run a verb on the subscription as it is now."""
    async with transaction() as session:
        version = (await session.get_one(Subscription, made.subscription)).version
        return await verb(session, actor, subscription_id=made.subscription, version=version, **arguments)


async def pay(invoice_id: int) -> None:
    """Pay an invoice by hand."""
    async with transaction() as session:
        await billing.mark_paid(session, STAFF, invoice_id=invoice_id, note="paid")


async def row(owner: asyncpg.Connection, table: str = "subscriptions", which: str = "") -> asyncpg.Record:
    """The newest row of a table."""
    found = await owner.fetchrow(f"SELECT * FROM {table} {which} ORDER BY id DESC LIMIT 1")
    assert found is not None
    return found


async def actions(owner: asyncpg.Connection) -> list[str]:
    """What the change log says was done, in order."""
    return [line["action"] for line in await owner.fetch("SELECT action FROM subscription_changes ORDER BY id")]


async def told(owner: asyncpg.Connection) -> list[str]:
    """Which events the product hears of, in order, after those of the beginning."""
    return [line["type"] for line in await owner.fetch("SELECT type FROM product_events ORDER BY id OFFSET 1")]
