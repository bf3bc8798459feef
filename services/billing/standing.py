"""Takes a subscription in hand for a person's change: in scope, locked, as it was read, and allowed (SUB-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict, UserError
from core.principal import Principal
from domain.billing import LIVE_SUBSCRIPTION, InvoiceKind, InvoiceStatus
from domain.installs import InstallStatus
from domain.subscription_actions import Standing, SubscriptionAction, blocked_because
from models import Install, Invoice, Plan, Subscription
from services.billing.locks import live_subscription
from services.billing.orders import CHANGE_ORDERS, RENEWALS, waiting
from services.loading import load

WATCHED = CHANGE_ORDERS | RENEWALS


class NotAllowedNow(Conflict):
    """The state of the subscription does not allow the action."""

    code = "NOT_ALLOWED_NOW"


class AlreadySubscribed(UserError):
    """The install has a paid subscription or an unpaid order already (SUB-1)."""

    code = "ALREADY_SUBSCRIBED"


@dataclass(frozen=True)
class InHand:
    """A subscription and its install, both locked."""

    install: Install
    subscription: Subscription


async def take(
    session: AsyncSession, actor: Principal, action: SubscriptionAction, *, subscription_id: int, version: int
) -> InHand:
    """The subscription and its install, locked in the one order, ready for the action.

    Raises:
        NotFound: no such subscription in the actor's scope.
        Conflict: with code ``VERSION_CONFLICT``, somebody changed it since ``version`` was read.
        NotAllowedNow: says why the action is not allowed.
    """
    found = await load(session, actor, Subscription, subscription_id, field="id")
    install = await load(session, actor, Install, found.install_id, field="id", lock=True)
    subscription = await load(session, actor, Subscription, subscription_id, field="id", lock=True)
    if subscription.version != version:
        raise Conflict(
            f"the subscription was changed since version {version} was read; it is at version {subscription.version}",
            code="VERSION_CONFLICT",
            field=("input", "version"),
        )
    await refuse(session, subscription, action, install)
    return InHand(install, subscription)


async def look(
    session: AsyncSession, actor: Principal, action: SubscriptionAction, subscription_id: int
) -> Subscription:
    """The subscription in the actor's scope, unlocked, for a preview of the action.

    Raises:
        NotFound: no such subscription in the actor's scope.
        NotAllowedNow: says why the action is not allowed.
    """
    subscription = await load(session, actor, Subscription, subscription_id, field="id")
    await refuse(session, subscription, action)
    return subscription


async def refuse(
    session: AsyncSession, subscription: Subscription, action: SubscriptionAction, install: Install | None = None
) -> None:
    """Refuse what the state does not allow.

    Parameters:
        install: the subscription's; None where it does not matter whether it is disabled.

    Raises:
        NotAllowedNow: says why.
    """
    unpaid = await waiting(session, [subscription.id], WATCHED)
    standing = standing_of(subscription, unpaid)
    if install is not None:
        standing = replace(standing, install_disabled=install.status == InstallStatus.DISABLED)
    if subscription.status not in LIVE_SUBSCRIPTION:
        another = await live_subscription(session, subscription.install_id)
        standing = replace(standing, another_lives=another is not None)
    refuse_by(standing, action)


def refuse_by(standing: Standing, action: SubscriptionAction) -> None:
    """Refuse what a standing does not allow.

    Raises:
        NotAllowedNow: says why.
    """
    why = blocked_because(action, standing)
    if why is not None:
        failure = AlreadySubscribed if why.code == AlreadySubscribed.code else NotAllowedNow
        raise failure(why.message, code=why.code, field=("input", "id"))


def standing_of(subscription: Subscription, unpaid: Sequence[Invoice]) -> Standing:
    """What decides which actions are allowed.

    Parameters:
        unpaid: the subscription's unpaid invoices of the kinds ``WATCHED``.
    """
    orders = [invoice.number for invoice in unpaid if invoice.kind in CHANGE_ORDERS]
    charging = [
        invoice.number
        for invoice in unpaid
        if invoice.kind == InvoiceKind.RENEWAL and invoice.status == InvoiceStatus.CHARGING
    ]
    renewals = [invoice.number for invoice in unpaid if invoice.kind == InvoiceKind.RENEWAL]
    pending = (
        subscription.pending_plan_id,
        subscription.pending_term,
        subscription.pending_seats,
        subscription.pending_unit_price,
    )
    return Standing(
        status=subscription.status,
        bare=subscription.plan_id is None,
        paused=subscription.paused_at is not None,
        over=subscription.paused_at is None and subscription.ends_at <= clock.now(),
        canceling=subscription.cancel_at_period_end,
        pending=any(value is not None for value in pending),
        pending_seats=subscription.pending_seats,
        order_charging=any(
            invoice.kind in CHANGE_ORDERS and invoice.status == InvoiceStatus.CHARGING for invoice in unpaid
        ),
        order_waits=orders[0] if orders else None,
        renewal_charging=charging[0] if charging else None,
        renewal_waits=renewals[0] if renewals else None,
    )


async def plan_of(session: AsyncSession, subscription: Subscription) -> Plan:
    """The plan of a subscription that is paid for."""
    plan = await session.get(Plan, subscription.plan_id)
    assert plan is not None, "only a trial has no plan, and what may be done with it needs none"
    return plan
