"""Moving subscriptions to the newest version of their plan, one or very many, from their renewal on (CAT-2)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from core.errors import Conflict, UserError
from core.principal import Principal
from domain.billing import SubscriptionStatus
from domain.catalog import Term
from domain.subscription_actions import SubscriptionAction
from models import Install, Plan, PlanPrice, Subscription
from policies.scopes import require
from services.billing.locks import load
from services.billing.plan_change import plan_for_renewal
from services.billing.seats import NothingToChange
from services.billing.standing import InHand, NotAllowedNow, plan_of, refuse, take
from services.billing.subscriptions import PlanNotOffered, priced

MOST_AT_ONCE = 1_000

T = TypeVar("T", Install, Subscription)


@dataclass(frozen=True)
class Moved:
    """What became of one subscription of many.

    Parameters:
        error: why it stays as it is; None where it was moved.
    """

    subscription_id: int
    error: UserError | None = None


async def move_to_newest(
    session: AsyncSession, actor: Principal, *, subscription_id: int, version: int
) -> Subscription:
    """Have the newest version of the plan from the next renewal on; an individual price stays.

    Raises:
        NotFound, NotAllowedNow, Conflict, NothingToChange, PlanNotOffered, InvalidSeats: see there.
    """
    require(actor, "subscription:change", "Mutation.subscriptionMoveToNewestPlan")
    action = SubscriptionAction.CHANGE_PLAN_AT_RENEWAL
    held = await take(session, actor, action, subscription_id=subscription_id, version=version)
    plan = await plan_of(session, held.subscription)
    await _move(session, actor, held, await newest_of(session, plan))
    return held.subscription


async def move_many_to_newest(
    session: AsyncSession, actor: Principal, *, plan_id: int, after: int = 0, limit: int = MOST_AT_ONCE
) -> list[Moved]:
    """Move the active subscriptions of a tariff's older versions, in the order of their keys, with a result for each.

    Parameters:
        plan_id: any version of the tariff.
        after: only subscriptions with a greater key; call again with the last one until fewer than ``limit`` come.

    Raises:
        NotFound: there is no such plan.
        PlanNotOffered: no version of it is on sale.
    """
    require(actor, "subscription:adjust", "Mutation.subscriptionsMoveToNewestPlan")
    newest = await newest_of(session, await load(session, actor, Plan, plan_id, field="planId"))
    old = aliased(Plan)
    wanted = (
        select(Subscription.id, Subscription.install_id)
        .join(old, old.id == Subscription.plan_id)
        .where(
            old.product_id == newest.product_id,
            old.name == newest.name,
            old.currency == newest.currency,
            old.id != newest.id,
            Subscription.status == SubscriptionStatus.ACTIVE,
            Subscription.pending_plan_id.is_distinct_from(newest.id),
            Subscription.id > after,
        )
        .order_by(Subscription.id)
        .limit(min(limit, MOST_AT_ONCE))
    )
    found = (await session.execute(wanted)).all()
    installs = await _locked(session, Install, sorted(row.install_id for row in found))
    subscriptions = await _locked(session, Subscription, sorted(row.id for row in found))
    results = []
    for row in found:
        held = InHand(installs[row.install_id], subscriptions[row.id])
        try:
            await refuse(session, held.subscription, SubscriptionAction.CHANGE_PLAN_AT_RENEWAL)
            await _move(session, actor, held, newest)
        except UserError as error:
            results.append(Moved(row.id, error))
        else:
            results.append(Moved(row.id))
    return results


async def newest_of(session: AsyncSession, plan: Plan) -> Plan:
    """The newest version on sale of the plan's tariff, kept from changes until the transaction ends.

    Raises:
        PlanNotOffered: none is on sale.
    """
    newest: Plan | None = await session.scalar(
        select(Plan)
        .where(Plan.product_id == plan.product_id, Plan.name == plan.name, Plan.currency == plan.currency, Plan.active)
        .order_by(Plan.version.desc())
        .limit(1)
        .with_for_update(read=True)
    )
    if newest is None:
        raise PlanNotOffered("no version of the plan is on sale", field=("input", "planId"))
    return newest


async def _move(session: AsyncSession, actor: Principal, held: InHand, newest: Plan) -> None:
    subscription = held.subscription
    if newest.id in (subscription.plan_id, subscription.pending_plan_id):
        raise NothingToChange("the subscription has the newest version, or is to have it", field=("input", "id"))
    if subscription.status != SubscriptionStatus.ACTIVE:
        raise NotAllowedNow(f"the subscription is {subscription.status}", field=("input", "id"))
    planned = subscription.pending_plan_id
    if planned is not None and planned != subscription.plan_id and not await _same_tariff(session, planned, newest):
        raise Conflict("another plan waits for the renewal; undo that first", field=("input", "id"))
    assert subscription.plan_id is not None
    term = subscription.pending_term or subscription.term
    price = subscription.unit_price if subscription.pending_unit_price is None else subscription.pending_unit_price
    individual = price != await _price_of(session, planned or subscription.plan_id, term)
    new = await priced(
        session,
        newest,
        term,
        subscription.pending_seats or subscription.seats,
        unit_price=price if individual else None,
    )
    await plan_for_renewal(session, actor, held, newest, new)


async def _same_tariff(session: AsyncSession, plan_id: int, newest: Plan) -> bool:
    plan = await session.get_one(Plan, plan_id)
    return (plan.product_id, plan.name, plan.currency) == (newest.product_id, newest.name, newest.currency)


async def _price_of(session: AsyncSession, plan_id: int, term: Term) -> Decimal | None:
    found = select(PlanPrice.unit_price).where(PlanPrice.plan_id == plan_id, PlanPrice.term == term)
    price: Decimal | None = await session.scalar(found)
    return price


async def _locked(session: AsyncSession, model: type[T], keys: list[int]) -> dict[int, T]:
    rows = await session.scalars(
        select(model)
        .where(model.id.in_(keys))
        .order_by(model.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in rows}
