"""Plans: make them, and their next versions once they were sold (CAT-2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypedDict

from sqlalchemy import delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict
from core.principal import Principal
from domain import fields
from domain.catalog import PricingModel, ProductStatus, Term
from domain.pricing import MOST_SEATS
from domain.state_actions import plan_blocked
from models import Invoice, Plan, PlanModule, PlanPrice, Product, Subscription
from services import audit
from services.catalog import modules
from services.changes import apply, unique
from services.loading import load

LONGEST_GRACE_DAYS = 365
HIGHEST_LIMIT = 1_000_000_000
# Limits of a plan, and how an input names them.
LIMITS = {
    "most_users": "mostUsers",
    "most_departments": "mostDepartments",
    "most_integrations": "mostIntegrations",
    "api_requests_per_minute": "apiRequestsPerMinute",
}


@dataclass(frozen=True)
class Price:
    """Price of one unit for one month of a term."""

    term: Term
    unit_price: Decimal


class PlanValues(TypedDict, total=False):
    """What may be said of a plan; what is left out stays as it is."""

    pricing_model: PricingModel
    min_seats: int
    grace_days: int
    active: bool
    prices: Sequence[Price]
    module_ids: Sequence[int]
    most_users: int | None
    most_departments: int | None
    most_integrations: int | None
    api_requests_per_minute: int | None


async def create(
    session: AsyncSession,
    actor: Principal,
    *,
    product_id: int,
    name: str,
    currency: str,
    values: PlanValues,
) -> Plan:
    """Make the first version of a plan.

    Raises:
        NotFound: there is no such product.
        Conflict: the product is archived, or has a plan of this name and currency.
        UserError: a value is not fit for its field.
    """
    product = await load(session, actor, Product, product_id, field="productId", lock=True, references=True)
    if product.status == ProductStatus.ARCHIVED:
        raise Conflict("the product is archived", field=fields.path("productId"))
    name = fields.line(name, "name")
    currency = fields.currency(currency, "currency")
    prices = _checked_prices(values.get("prices", ()))
    known = select(Plan.id).where(Plan.product_id == product_id, Plan.name == name, Plan.currency == currency)
    if await session.scalar(known.limit(1)) is not None:
        raise Conflict("the product has a plan of this name; change that one", code="TAKEN", field=fields.path("name"))
    module_ids = await modules.included(session, product_id, values.get("module_ids", ()))
    plan = Plan(product_id=product_id, name=name, currency=currency, **_checked(values))
    session.add(plan)
    await session.flush()
    _add_parts(session, plan, prices, module_ids)
    await audit.record(session, actor, "plan.create", plan, before=None, after=_told(plan, prices, module_ids))
    return plan


async def change(session: AsyncSession, actor: Principal, *, plan_id: int, values: PlanValues) -> Plan:
    """Change a plan: in place while nobody bought it, else by a next version that takes its place on sale.

    Whether it is on sale may change in place always. The plan's row is locked; sales lock it too, so that
    no one buys a version while its prices change.

    Raises:
        NotFound: there is no such plan.
        Conflict: it is not the latest version.
        UserError: a value is not fit for its field.
    """
    plan = await load(session, actor, Plan, plan_id, lock=True, references=True)
    same_tariff = (Plan.product_id == plan.product_id, Plan.name == plan.name, Plan.currency == plan.currency)
    latest = await session.scalar(select(func.max(Plan.version)).where(*same_tariff))
    blocked = plan_blocked(plan.version, latest or plan.version)
    if blocked is not None:
        raise Conflict(blocked.message, field=fields.path("id"))
    checked = _checked(values)
    old_prices = await _prices_of(session, plan)
    prices = _checked_prices(values["prices"]) if "prices" in values else old_prices
    old_ids = await _modules_of(session, plan)
    module_ids = old_ids
    if "module_ids" in values:
        module_ids = await modules.included(session, plan.product_id, values["module_ids"], had=old_ids)
    terms_change = (set(prices), module_ids) != (set(old_prices), old_ids) or any(
        getattr(plan, name) != value for name, value in checked.items() if name != "active"
    )
    if terms_change and await _sold(session, plan):
        return await _next_version(session, actor, plan, checked, prices, module_ids)
    before = _told(plan, old_prices, old_ids)
    apply(plan, checked)
    if terms_change:
        for part in (PlanPrice, PlanModule):
            await session.execute(delete(part).where(part.plan_id == plan.id))
        _add_parts(session, plan, prices, module_ids)
    await audit.record(session, actor, "plan.update", plan, before=before, after=_told(plan, prices, module_ids))
    return plan


async def _next_version(
    session: AsyncSession,
    actor: Principal,
    plan: Plan,
    checked: dict[str, Any],
    prices: Sequence[Price],
    module_ids: Sequence[int],
) -> Plan:
    kept = {name: getattr(plan, name) for name in ("pricing_model", "min_seats", "grace_days", "active", *LIMITS)}
    following = Plan(
        product_id=plan.product_id,
        name=plan.name,
        currency=plan.currency,
        version=plan.version + 1,
        **{**kept, **checked},
    )
    async with unique(session, "uq_plans_product_id", "somebody made the next version just now", "id"):
        session.add(following)
    _add_parts(session, following, prices, module_ids)
    plan.active = False
    after = {**_told(following, prices, module_ids), "replaces_plan_id": plan.id}
    await audit.record(session, actor, "plan.next_version", following, before=None, after=after)
    return following


async def _sold(session: AsyncSession, plan: Plan) -> bool:
    subscribed = exists().where((Subscription.plan_id == plan.id) | (Subscription.pending_plan_id == plan.id))
    billed = exists().where(Invoice.plan_id == plan.id)
    return bool(await session.scalar(select(subscribed | billed)))


async def _prices_of(session: AsyncSession, plan: Plan) -> list[Price]:
    rows = await session.scalars(select(PlanPrice).where(PlanPrice.plan_id == plan.id).order_by(PlanPrice.id))
    return [Price(row.term, row.unit_price) for row in rows]


async def _modules_of(session: AsyncSession, plan: Plan) -> list[int]:
    included = select(PlanModule.module_id).where(PlanModule.plan_id == plan.id)
    return list(await session.scalars(included.order_by(PlanModule.module_id)))


def _add_parts(session: AsyncSession, plan: Plan, prices: Sequence[Price], module_ids: Sequence[int]) -> None:
    session.add_all(PlanModule(plan_id=plan.id, module_id=module_id) for module_id in module_ids)
    session.add_all(
        PlanPrice(plan_id=plan.id, term=price.term, unit_price=price.unit_price, currency=plan.currency)
        for price in prices
    )


def _checked(values: PlanValues) -> dict[str, Any]:
    checked: dict[str, Any] = {name: value for name, value in values.items() if name not in ("prices", "module_ids")}
    if "min_seats" in checked:
        fields.whole(checked["min_seats"], "minSeats", least=1, most=MOST_SEATS)
    if "grace_days" in checked:
        fields.whole(checked["grace_days"], "graceDays", least=0, most=LONGEST_GRACE_DAYS)
    for name, told in LIMITS.items():
        if checked.get(name) is not None:
            fields.whole(checked[name], told, least=1, most=HIGHEST_LIMIT)
    return checked


def _checked_prices(prices: Sequence[Price]) -> list[Price]:
    if not prices:
        raise fields.InvalidValue("a plan has at least one price", field=fields.path("prices"))
    if len({price.term for price in prices}) < len(prices):
        raise fields.InvalidValue("each term has one price", field=fields.path("prices"))
    return [Price(price.term, fields.amount(price.unit_price, "prices")) for price in prices]


def _told(plan: Plan, prices: Sequence[Price], module_ids: Sequence[int]) -> dict[str, Any]:
    return {
        "pricing_model": plan.pricing_model,
        "min_seats": plan.min_seats,
        "grace_days": plan.grace_days,
        "active": plan.active,
        "prices": {price.term.value: str(price.unit_price) for price in prices},
        "module_ids": list(module_ids),
        **{name: getattr(plan, name) for name in LIMITS},
    }
