"""Corrections of a subscription by hand, for what no other change can put right (SUB-1, SUB-7)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from domain import fields
from domain.billing import LIVE_SUBSCRIPTION, SubscriptionStatus
from domain.catalog import Term
from domain.periods import anchor_day, period_end
from domain.pricing import MOST_SEATS
from domain.proration import MOST_MONTHS_BOUGHT
from domain.renewals import grace_end
from domain.subscription_actions import SubscriptionAction
from gateways.registry import gateway
from models import Install, Plan, Subscription
from policies.scopes import require
from services.billing.announce import announce, show_on_install
from services.billing.cancel import drop_pending
from services.billing.cards import Card, forget_card, keep_card
from services.billing.locks import live_subscription
from services.billing.log import record_change, told
from services.billing.orders import CHANGE_ORDERS, RENEWALS, withdraw
from services.billing.renewing import plan_charge
from services.billing.seats import NothingToChange
from services.billing.standing import AlreadySubscribed, NotAllowedNow, take
from services.billing.subscriptions import PlanNotOffered, priced
from services.billing.worth import add_worth
from services.loading import load

LONGEST_REASON = 500
LONGEST_CARD_KEY = 200
_PAID = frozenset({SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE})
_EVENTS = {
    SubscriptionStatus.PAST_DUE: "subscription.past_due",
    SubscriptionStatus.CANCELED: "subscription.canceled",
    SubscriptionStatus.EXPIRED: "subscription.expired",
}


class Correction(TypedDict, total=False):
    """What a subscription should say; what is left out stays.

    ``rebill_id`` is the key of a card that the gateway of new payments stores; None forgets the card.
    """

    plan_id: int
    term: Term
    seats: int
    unit_price: Decimal
    status: SubscriptionStatus
    auto_renew: bool
    starts_at: datetime
    ends_at: datetime
    rebill_id: str | None


async def correct_subscription(
    session: AsyncSession,
    actor: Principal,
    *,
    subscription_id: int,
    version: int,
    values: Correction,
    reason: str,
) -> Subscription:
    """Set what a subscription says, at once and without a bill; a renewal that waits is billed anew.

    Raises:
        NotFound, NotAllowedNow, Conflict, NothingToChange: see there.
        InvalidValue, InvalidAmount, InvalidSeats, PlanNotOffered: a value is not fit; names its field.
        AlreadySubscribed: it would live beside another one of the install.
    """
    require(actor, "subscription:adjust", "Mutation.subscriptionCorrect")
    action = SubscriptionAction.CORRECT
    held = await take(session, actor, action, subscription_id=subscription_id, version=version)
    await apply_correction(session, actor, held.install, held.subscription, values, reason=reason)
    return held.subscription


async def apply_correction(
    session: AsyncSession,
    actor: Principal,
    install: Install,
    subscription: Subscription,
    values: Correction,
    *,
    reason: str,
) -> None:
    """Correct a subscription that is locked with its install and that may be corrected now.

    Raises:
        NothingToChange, InvalidValue, InvalidAmount, InvalidSeats, PlanNotOffered, AlreadySubscribed: see above.
    """
    reason = fields.line(reason, "reason", most_chars=LONGEST_REASON)
    before, now = told(subscription), clock.now()
    lived = subscription.status in LIVE_SUBSCRIPTION
    await _set_price(session, actor, subscription, values)
    _set_period(subscription, values, now, lived=lived)
    await _set_status(session, subscription, values.get("status", subscription.status), now)
    subscription.auto_renew = values.get("auto_renew", subscription.auto_renew)
    if "rebill_id" in values:
        _set_card(subscription, values["rebill_id"])
    after = told(subscription)
    if after == before and values.get("rebill_id") is None:
        raise NothingToChange("the subscription says all of this already", field=("input", "id"))
    await _follow(session, actor, install, subscription)
    changed = {name for name in after.keys() | before.keys() if after.get(name) != before.get(name)}
    if changed - {"autoRenew", "card", "cardAccount"}:
        await withdraw(session, actor, subscription, RENEWALS, "the subscription was corrected")
    else:
        await plan_charge(session, subscription)
    await record_change(session, actor, subscription, "correct", before, reason=reason)
    kind = _EVENTS.get(subscription.status, "subscription.changed") if "status" in changed else "subscription.changed"
    await announce(session, install, subscription, kind)


async def _set_price(session: AsyncSession, actor: Principal, subscription: Subscription, values: Correction) -> None:
    """Plan, term, seats and price; another plan or term brings the plan's price unless one is given."""
    plan_id = values.get("plan_id", subscription.plan_id)
    if plan_id is None:
        _bare(values)
        seats = values.get("seats", subscription.seats)
        subscription.seats = fields.whole(seats, "seats", least=1, most=MOST_SEATS)
        return
    plan = await load(session, actor, Plan, plan_id, field="planId")
    install = await session.get_one(Install, subscription.install_id)
    if plan.product_id != install.product_id:
        raise PlanNotOffered("the plan is another product's", field=fields.path("planId"))
    term = values.get("term", subscription.term)
    unit_price = values.get("unit_price")
    if unit_price is None and (plan.id, term) == (subscription.plan_id, subscription.term):
        unit_price = subscription.unit_price
    seats = values.get("seats", subscription.seats)
    kept = plan.id == subscription.plan_id
    new = await priced(session, plan, term, seats, unit_price=unit_price, kept=kept)
    if plan.currency != subscription.currency:
        # Money of the currency before is no credit in the new one.
        subscription.worth, subscription.worth_from = Decimal("0.00"), clock.now()
    subscription.plan_id, subscription.term, subscription.seats = plan.id, new.term, new.seats
    subscription.unit_price, subscription.currency = new.unit_price, new.currency
    if values.keys() & {"plan_id", "term", "seats", "unit_price"}:
        drop_pending(subscription)


def _bare(values: Correction) -> None:
    wanted = sorted(values.keys() & {"term", "unit_price", "rebill_id"})
    if wanted or values.get("auto_renew"):
        raise fields.InvalidValue("a trial has no plan; give planId too", field=fields.path("planId"))


def _set_period(subscription: Subscription, values: Correction, now: datetime, *, lived: bool) -> None:
    latest = period_end(now, MOST_MONTHS_BOUGHT * 2, anchor_day(now, clock.zone()), clock.zone())
    if not lived and values.get("status") in LIVE_SUBSCRIPTION:
        subscription.worth, subscription.worth_from = Decimal("0.00"), now
    elif lived:
        add_worth(subscription, Decimal("0.00"), now)
    starts_at, ends_at = values.get("starts_at", subscription.starts_at), values.get("ends_at", subscription.ends_at)
    if ends_at <= starts_at:
        raise fields.InvalidValue("the end comes after the start", field=fields.path("endsAt"))
    if ends_at > latest:
        raise fields.InvalidValue(
            f"the end may be at most {MOST_MONTHS_BOUGHT * 2} months from now", field=fields.path("endsAt")
        )
    if ends_at != subscription.ends_at:
        subscription.anchor_day = anchor_day(ends_at, clock.zone())
        subscription.invoiced_until = None
    subscription.starts_at, subscription.ends_at = starts_at, ends_at


async def _set_status(
    session: AsyncSession, subscription: Subscription, status: SubscriptionStatus, now: datetime
) -> None:
    paid = subscription.plan_id is not None
    if status in _PAID and not paid:
        raise fields.InvalidValue("what is paid for has a plan; give planId", field=fields.path("planId"))
    if status == SubscriptionStatus.TRIAL and paid:
        raise NotAllowedNow("only a subscription without a plan is a trial", field=fields.path("status"))
    over = subscription.ends_at <= now
    if status in (SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIAL) and over:
        raise fields.InvalidValue(f"{status} ends in the future; give endsAt", field=fields.path("endsAt"))
    if status == SubscriptionStatus.PAST_DUE and not over:
        raise fields.InvalidValue("PAST_DUE has an end that has passed; give endsAt", field=fields.path("endsAt"))
    if status == subscription.status:
        return
    if status in LIVE_SUBSCRIPTION and subscription.status not in LIVE_SUBSCRIPTION:
        if await live_subscription(session, subscription.install_id) is not None:
            raise AlreadySubscribed("another subscription of the install lives", field=fields.path("id"))
        subscription.canceled_at = subscription.invoiced_until = None
    subscription.status = status
    subscription.past_due_at = now if status == SubscriptionStatus.PAST_DUE else None
    if status == SubscriptionStatus.CANCELED:
        subscription.canceled_at = now
    if status != SubscriptionStatus.ACTIVE:
        subscription.cancel_at_period_end = False


def _set_card(subscription: Subscription, rebill_id: str | None) -> None:
    if rebill_id is None:
        forget_card(subscription)
    else:
        key = fields.line(rebill_id, "rebillId", most_chars=LONGEST_CARD_KEY)
        keep_card(subscription, Card(key, gateway().account))


async def _follow(session: AsyncSession, actor: Principal, install: Install, subscription: Subscription) -> None:
    """Bring the install in step; the end of a subscription takes its orders along."""
    if subscription.status not in LIVE_SUBSCRIPTION:
        drop_pending(subscription)
        await withdraw(session, actor, subscription, CHANGE_ORDERS, "the subscription was corrected")
        if await live_subscription(session, install.id) is not None:
            # One that ended before is put right; the install shows the one that lives.
            return
    await session.flush()
    show_on_install(install, subscription)
    if subscription.status == SubscriptionStatus.PAST_DUE:
        plan = await session.scalar(select(Plan).where(Plan.id == subscription.plan_id))
        assert plan is not None, "what is paid for has a plan"
        assert subscription.past_due_at is not None
        install.subscribed_until = grace_end(subscription.past_due_at, plan.grace_days)
