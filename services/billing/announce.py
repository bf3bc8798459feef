"""What the install shows of its subscription, and what its product hears of a change (INS-1, NOT-2)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing import SubscriptionStatus
from domain.installs import SubscriptionKind
from models import Install, Subscription
from services import events

_KINDS = {
    SubscriptionStatus.TRIAL: SubscriptionKind.TRIAL,
    SubscriptionStatus.ACTIVE: SubscriptionKind.PAID,
    SubscriptionStatus.PAST_DUE: SubscriptionKind.PAID,
}


def show_on_install(install: Install, subscription: Subscription) -> None:
    """Bring the install in step with its subscription; a paused one gives no access."""
    kind = _KINDS.get(subscription.status, SubscriptionKind.NONE)
    if subscription.paused_at is not None:
        kind = SubscriptionKind.NONE
    install.subscription_kind = kind
    install.subscribed_until = None if kind == SubscriptionKind.NONE else subscription.ends_at


async def announce(session: AsyncSession, install: Install, subscription: Subscription, type: str, **more: Any) -> None:
    """Tell the product how its subscription stands after a change.

    Parameters:
        type: for example ``subscription.changed``.
        more: what is particular to this change, as JSON values.
    """
    until = install.subscribed_until
    data = {
        "subscriptionId": str(subscription.id),
        "status": subscription.status.value,
        "seats": str(subscription.seats),
        "activeUntil": until.isoformat() if until else None,
        **more,
    }
    await events.emit(session, install, type, data)
