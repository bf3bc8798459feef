"""Ending a subscription, now or with its period, and thinking better of it (SUB-6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from domain import fields
from domain.billing import SubscriptionStatus
from domain.subscription_actions import CancelWhen, SubscriptionAction
from models import Install, Subscription
from policies.scopes import require
from services.billing.announce import announce, show_on_install
from services.billing.log import record_change, told
from services.billing.orders import CHANGE_ORDERS, RENEWALS, withdraw
from services.billing.standing import look, take
from services.billing.worth import worth_at

LONGEST_REASON = 500

_ACTIONS = {
    CancelWhen.NOW: SubscriptionAction.CANCEL_NOW,
    CancelWhen.PERIOD_END: SubscriptionAction.CANCEL_AT_PERIOD_END,
}


@dataclass(frozen=True)
class CancelQuote:
    """What cancelling means.

    Parameters:
        access_until: when access ends.
        unused: what the time lost is worth; it is not paid back by itself.
    """

    access_until: datetime
    unused: Decimal
    currency: str


async def preview_cancel(
    session: AsyncSession, actor: Principal, *, subscription_id: int, when: CancelWhen
) -> CancelQuote:
    """What cancelling would mean, without doing it.

    Raises:
        NotFound, NotAllowedNow: see there.
    """
    require(actor, "subscription:read", "Query.subscriptionPreviewCancel")
    subscription = await look(session, actor, _ACTIONS[when], subscription_id)
    now = clock.now()
    if when == CancelWhen.PERIOD_END:
        return CancelQuote(subscription.ends_at, Decimal("0.00"), subscription.currency)
    return CancelQuote(now, worth_at(subscription, now), subscription.currency)


async def cancel_subscription(
    session: AsyncSession,
    actor: Principal,
    *,
    subscription_id: int,
    version: int,
    when: CancelWhen,
    reason: str | None = None,
) -> Subscription:
    """End a subscription; what was ordered or is to be renewed is withdrawn. Money is refunded by its invoices only.

    Raises:
        NotFound, NotAllowedNow, Conflict, InvalidValue: see there.
        Forbidden: only those who may adjust subscriptions end one at once.
    """
    require(actor, "subscription:change", "Mutation.subscriptionCancel")
    if when == CancelWhen.NOW:
        require(actor, "subscription:adjust", "SubscriptionCancelInput.when")
    reason = fields.optional_line(reason, "reason", most_chars=LONGEST_REASON)
    held = await take(session, actor, _ACTIONS[when], subscription_id=subscription_id, version=version)
    subscription, before = held.subscription, told(held.subscription)
    drop_pending(subscription)
    await withdraw(session, actor, subscription, CHANGE_ORDERS | RENEWALS, "the subscription was cancelled")
    if when == CancelWhen.PERIOD_END:
        subscription.cancel_at_period_end = True
        await record_change(session, actor, subscription, "cancel_at_period_end", before, reason=reason)
        await announce(session, held.install, subscription, "subscription.changed", cancelAtPeriodEnd=True)
        return subscription
    await _end(session, actor, held.install, subscription, before, reason)
    return subscription


async def end_now(
    session: AsyncSession, actor: Principal, install: Install, subscription: Subscription, *, reason: str
) -> None:
    """End a live subscription whose install is locked, for a reason of the business; what was ordered is withdrawn."""
    before = told(subscription)
    drop_pending(subscription)
    await withdraw(session, actor, subscription, CHANGE_ORDERS | RENEWALS, "the subscription was cancelled")
    await _end(session, actor, install, subscription, before, reason)


async def undo_cancel(session: AsyncSession, actor: Principal, *, subscription_id: int, version: int) -> Subscription:
    """Let a subscription that was to end with its period go on.

    Raises:
        NotFound, NotAllowedNow, Conflict: see there.
    """
    require(actor, "subscription:change", "Mutation.subscriptionUndoCancel")
    held = await take(session, actor, SubscriptionAction.UNDO_CANCEL, subscription_id=subscription_id, version=version)
    before = told(held.subscription)
    held.subscription.cancel_at_period_end = False
    await record_change(session, actor, held.subscription, "undo_cancel", before)
    await announce(session, held.install, held.subscription, "subscription.changed", cancelAtPeriodEnd=False)
    return held.subscription


async def _end(
    session: AsyncSession,
    actor: Principal,
    install: Install,
    subscription: Subscription,
    before: dict[str, Any],
    reason: str | None,
) -> None:
    subscription.status = SubscriptionStatus.CANCELED
    subscription.canceled_at = clock.now()
    subscription.cancel_at_period_end = False
    subscription.paused_at = None
    show_on_install(install, subscription)
    await record_change(session, actor, subscription, "cancel", before, reason=reason)
    await announce(session, install, subscription, "subscription.canceled")


def drop_pending(subscription: Subscription) -> None:
    """Forget what was to change at the renewal."""
    subscription.pending_plan_id = subscription.pending_term = None
    subscription.pending_seats = subscription.pending_unit_price = None
