"""Whether a subscription is renewed by itself (SUB-1)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import Principal
from domain.subscription_actions import SubscriptionAction
from models import Subscription
from policies.scopes import require
from services.billing.announce import announce
from services.billing.log import record_change, told
from services.billing.standing import take


async def set_auto_renew(
    session: AsyncSession, actor: Principal, *, subscription_id: int, version: int, auto_renew: bool
) -> Subscription:
    """Have renewals charged by themselves, or only billed. What is so already stays so.

    Raises:
        NotFound, NotAllowedNow, Conflict: see there.
    """
    require(actor, "subscription:change", "Mutation.subscriptionSetAutoRenew")
    action = SubscriptionAction.SET_AUTO_RENEW
    held = await take(session, actor, action, subscription_id=subscription_id, version=version)
    if held.subscription.auto_renew == auto_renew:
        return held.subscription
    before = told(held.subscription)
    held.subscription.auto_renew = auto_renew
    await record_change(session, actor, held.subscription, "set_auto_renew", before)
    await announce(session, held.install, held.subscription, "subscription.changed", autoRenew=auto_renew)
    return held.subscription
