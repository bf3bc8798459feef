"""Moving subscriptions to the newest version of their plan, one or very many, from their renewal on (CAT-2)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from core.errors import UserError
from core.principal import Principal
from domain.billing import SubscriptionStatus
from domain.catalog import Term
from domain.pricing import Quote
from domain.subscription_actions import SubscriptionAction
from models import Install, Invoice, Plan, PlanPrice, Subscription
from policies.scopes import require
from services.billing.orders import RENEWALS, waiting, withdraw
from services.billing.plan_change import plan_for_renewal
from services.billing.seats import NothingToChange
from services.billing.standing import WATCHED, NotAllowedNow, plan_of, refuse_by, standing_of, take
from services.billing.subscriptions import PlanNotOffered, price_with
from services.loading import load

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
    newest = await newest_of(session, await plan_of(session, held.subscription))
    new = _new_price(held.subscription, newest, await _tariff(session, newest))
    await withdraw(session, actor, held.subscription, RENEWALS, "the plan is to change")
    await plan_for_renewal(session, actor, held.subscription, newest, new)
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
    ids = [row.id for row in found]
    await _locked(session, Install, [row.install_id for row in found])
    subscriptions = await _locked(session, Subscription, ids)
    unpaid: dict[int, list[Invoice]] = {key: [] for key in ids}
    for invoice in await waiting(session, ids, WATCHED):
        unpaid[invoice.subscription_id or 0].append(invoice)
    tariff = await _tariff(session, newest)
    results = []
    for key in ids:
        try:
            refuse_by(standing_of(subscriptions[key], unpaid[key]), SubscriptionAction.CHANGE_PLAN_AT_RENEWAL)
            new = _new_price(subscriptions[key], newest, tariff)
            if unpaid[key]:
                await withdraw(session, actor, subscriptions[key], RENEWALS, "the plan is to change")
            await plan_for_renewal(session, actor, subscriptions[key], newest, new)
        except UserError as error:
            results.append(Moved(key, error))
        else:
            results.append(Moved(key))
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


def _new_price(subscription: Subscription, newest: Plan, tariff: _Tariff) -> Quote:
    """What the renewal costs by the newest version; an individual price stays."""
    planned = subscription.pending_plan_id or subscription.plan_id
    if newest.id in (subscription.plan_id, subscription.pending_plan_id):
        raise NothingToChange("the subscription has the newest version, or is to have it", field=("input", "id"))
    if planned not in tariff.versions:
        raise NotAllowedNow("another plan waits for the renewal; undo that first", field=("input", "id"))
    term = subscription.pending_term or subscription.term
    price = subscription.unit_price if subscription.pending_unit_price is None else subscription.pending_unit_price
    individual = price != tariff.prices.get((planned, term))
    return price_with(
        newest,
        tariff.prices.get((newest.id, term)),
        term,
        subscription.pending_seats or subscription.seats,
        unit_price=price if individual else None,
    )


@dataclass(frozen=True)
class _Tariff:
    """The versions of a tariff, and the price of one seat and month by version and term."""

    versions: frozenset[int]
    prices: dict[tuple[int, Term], Decimal]


async def _tariff(session: AsyncSession, newest: Plan) -> _Tariff:
    same = (Plan.product_id == newest.product_id, Plan.name == newest.name, Plan.currency == newest.currency)
    versions = frozenset(await session.scalars(select(Plan.id).where(*same)))
    prices = await session.scalars(select(PlanPrice).where(PlanPrice.plan_id.in_(versions)))
    return _Tariff(versions, {(price.plan_id, price.term): price.unit_price for price in prices})


async def _locked(session: AsyncSession, model: type[T], keys: list[int]) -> dict[int, T]:
    rows = await session.scalars(
        select(model)
        .where(model.id.in_(sorted(keys)))
        .order_by(model.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in rows}
