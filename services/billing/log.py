"""The change log of subscriptions: every change with who, when, before and after (SUB-7)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import Principal
from models import Subscription, SubscriptionChange
from services import audit


async def record_change(
    session: AsyncSession,
    actor: Principal,
    subscription: Subscription,
    action: str,
    before: dict[str, str] | None,
    *,
    reason: str | None = None,
) -> None:
    """Write a line of the change log and its audit event, ``subscription.<action>``; counts the version up.

    Parameters:
        before: what :func:`told` said before the change; None for a new subscription.
        reason: why, in the words of whoever did it.
    """
    if before is not None:
        subscription.version += 1
    after = told(subscription)
    if before is not None:
        changed = {name for name in after.keys() | before.keys() if after.get(name) != before.get(name)}
        before = {name: value for name, value in before.items() if name in changed}
        after = {name: value for name, value in after.items() if name in changed}
    if reason is not None:
        after = {**after, "reason": reason}
    session.add(
        SubscriptionChange(
            partner_id=subscription.partner_id,
            subscription_id=subscription.id,
            action=action,
            actor=actor.label,
            actor_user_id=actor.user_id,
            before=before,
            after=after,
        )
    )
    await audit.record(session, actor, f"subscription.{action}", subscription, before=before, after=after)


def told(subscription: Subscription) -> dict[str, str]:
    """What the change log says of a subscription; what is not set is left out."""
    values = {
        "status": subscription.status,
        "planId": subscription.plan_id,
        "term": subscription.term,
        "seats": subscription.seats,
        "unitPrice": f"{subscription.unit_price} {subscription.currency}",
        "startsAt": subscription.starts_at.isoformat(),
        "endsAt": subscription.ends_at.isoformat(),
        "autoRenew": str(subscription.auto_renew).lower(),
        "card": None if subscription.rebill_id_encrypted is None else "stored",
        "cardAccount": subscription.card_account,
        "cancelAtPeriodEnd": "true" if subscription.cancel_at_period_end else None,
        "pausedAt": subscription.paused_at and subscription.paused_at.isoformat(),
        "pendingPlanId": subscription.pending_plan_id,
        "pendingTerm": subscription.pending_term,
        "pendingSeats": subscription.pending_seats,
        "pendingUnitPrice": subscription.pending_unit_price,
    }
    return {name: str(value) for name, value in values.items() if value is not None}
