"""Stopping a subscription's time, and letting it run again with the time that was left (SUB-6)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from domain import fields
from domain.periods import anchor_day
from domain.subscription_actions import SubscriptionAction
from models import Subscription
from policies.scopes import require
from services.billing.announce import announce, show_on_install
from services.billing.log import record_change, told
from services.billing.orders import RENEWALS, withdraw
from services.billing.standing import take
from services.billing.worth import worth_at

LONGEST_REASON = 500


async def pause_subscription(
    session: AsyncSession, actor: Principal, *, subscription_id: int, version: int, reason: str | None = None
) -> Subscription:
    """Stop the subscription's time: no access, no renewal, and the rest of the period is kept.

    Raises:
        NotFound, NotAllowedNow, Conflict, InvalidValue: see there.
    """
    require(actor, "subscription:adjust", "Mutation.subscriptionPause")
    reason = fields.optional_line(reason, "reason", most_chars=LONGEST_REASON)
    held = await take(session, actor, SubscriptionAction.PAUSE, subscription_id=subscription_id, version=version)
    subscription, before, now = held.subscription, told(held.subscription), clock.now()
    await withdraw(session, actor, subscription, RENEWALS, "the subscription was paused")
    subscription.worth, subscription.worth_from = worth_at(subscription, now), now
    subscription.paused_at = now
    show_on_install(held.install, subscription)
    await record_change(session, actor, subscription, "pause", before, reason=reason)
    await announce(session, held.install, subscription, "subscription.paused")
    return subscription


async def resume_subscription(
    session: AsyncSession, actor: Principal, *, subscription_id: int, version: int
) -> Subscription:
    """Let the time run again: what was left at the pause is left now; the day of renewals follows the new end.

    Raises:
        NotFound, NotAllowedNow, Conflict: see there.
    """
    require(actor, "subscription:adjust", "Mutation.subscriptionResume")
    held = await take(session, actor, SubscriptionAction.RESUME, subscription_id=subscription_id, version=version)
    subscription, before, now = held.subscription, told(held.subscription), clock.now()
    assert subscription.paused_at is not None
    subscription.ends_at = now + (subscription.ends_at - subscription.paused_at)
    subscription.anchor_day = anchor_day(subscription.ends_at, clock.zone())
    subscription.worth_from = now
    subscription.paused_at = None
    show_on_install(held.install, subscription)
    await record_change(session, actor, subscription, "resume", before)
    await announce(session, held.install, subscription, "subscription.resumed")
    return subscription
