"""What the running period of a subscription is worth: the money that pays for the time until its end (SUB-6)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from domain.proration import unused_worth
from models import Subscription


def worth_at(subscription: Subscription, moment: datetime) -> Decimal:
    """The unused part at ``moment``; nothing is used up while the subscription is paused."""
    if subscription.worth_from is None:
        return Decimal("0.00")
    if subscription.paused_at is not None:
        moment = min(moment, subscription.paused_at)
    return unused_worth(subscription.worth, subscription.worth_from, subscription.ends_at, moment)


def add_worth(subscription: Subscription, amount: Decimal, now: datetime) -> None:
    """Count money into what pays for the time until the end; call it before the end moves."""
    subscription.worth = worth_at(subscription, now) + amount
    subscription.worth_from = min(now, subscription.ends_at)
