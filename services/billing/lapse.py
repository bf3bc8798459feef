"""Ends what has run out: trials, cancelled periods, unpaid renewals and their days of grace (SUB-4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import SYSTEM
from domain.billing import InvoiceKind, InvoiceStatus, SubscriptionStatus
from domain.installs import InstallStatus
from domain.partners import PartnerMay, PartnerStatus, allows
from domain.renewals import grace_end
from models import Install, Invoice, Partner, Plan, Subscription
from services.billing.announce import announce, show_on_install
from services.billing.log import record_change, told

CHUNK_ROWS = 200
DEFAULT_GRACE_DAYS = 0


async def lapse_due(session: AsyncSession, rows: int = CHUNK_ROWS) -> int:
    """Take the step that is due for at most ``rows`` subscriptions; gives how many, 0 when all is done.

    A trial expires; a period that was cancelled for its end is CANCELED; an unpaid one becomes PAST_DUE once its
    renewal was billed and no charge is planned or under way, and EXPIRED after the plan's days of grace. A paused
    one waits. Where the partner's standing stops renewals, nothing is waited for: nobody is billed later for time
    without access.
    """
    now = clock.now()
    due = await _due(session, now, rows)
    for subscription, install, grace_days in due:
        before = told(subscription)
        if subscription.status == SubscriptionStatus.PAST_DUE or subscription.status == SubscriptionStatus.TRIAL:
            await _end(session, subscription, install, SubscriptionStatus.EXPIRED, before)
        elif subscription.cancel_at_period_end:
            await _end(session, subscription, install, SubscriptionStatus.CANCELED, before)
        else:
            subscription.status, subscription.past_due_at = SubscriptionStatus.PAST_DUE, now
            install.subscribed_until = grace_end(now, grace_days)
            await record_change(session, SYSTEM, subscription, "past_due", before)
            await announce(session, install, subscription, "subscription.past_due")
    return len(due)


async def _due(session: AsyncSession, now: datetime, rows: int) -> list[tuple[Subscription, Install, int]]:
    """Subscriptions whose step is due, with their installs, both locked; those of another process are left to it."""
    may_renew = Partner.status.in_([status for status in PartnerStatus if allows(status, PartnerMay.RENEW)])
    waiting = (
        select(Invoice.id)
        .where(
            Invoice.subscription_id == Subscription.id,
            Invoice.kind == InvoiceKind.RENEWAL,
            or_(Invoice.next_charge_at.is_not(None) & may_renew, Invoice.status == InvoiceStatus.CHARGING),
        )
        .correlate(Subscription, Partner)
        .exists()
    )
    # After an outage the run of renewals may come later than this one; nobody loses access for a bill not written.
    unbilled = (
        may_renew
        & Install.status.is_distinct_from(InstallStatus.DISABLED)
        & Subscription.plan_id.is_not(None)
        & (func.coalesce(Subscription.invoiced_until, Subscription.starts_at) < Subscription.ends_at)
    )
    grace = func.coalesce(Plan.grace_days, DEFAULT_GRACE_DAYS)
    over = Subscription.past_due_at + func.make_interval(0, 0, 0, grace) <= now
    wanted = (
        select(Subscription, Install, grace)
        .join(Install, Install.id == Subscription.install_id)
        .join(Partner, Partner.id == Subscription.partner_id)
        .outerjoin(Plan, Plan.id == Subscription.plan_id)
        .where(
            Subscription.ends_at <= now,
            Subscription.paused_at.is_(None),
            or_(
                Subscription.status == SubscriptionStatus.TRIAL,
                (Subscription.status == SubscriptionStatus.ACTIVE)
                & (Subscription.cancel_at_period_end | ~(waiting | unbilled)),
                (Subscription.status == SubscriptionStatus.PAST_DUE) & over & ~waiting,
            ),
        )
        .order_by(Subscription.ends_at, Subscription.id)
        .limit(rows)
        .with_for_update(of=[Install, Subscription], key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return [(subscription, install, days) for subscription, install, days in await session.execute(wanted)]


async def _end(
    session: AsyncSession,
    subscription: Subscription,
    install: Install,
    to: SubscriptionStatus,
    before: dict[str, str],
) -> None:
    """Cut access: the subscription is over, and the product is told."""
    subscription.status = to
    if to == SubscriptionStatus.CANCELED:
        subscription.canceled_at = clock.now()
    show_on_install(install, subscription)
    verb = "expire" if to == SubscriptionStatus.EXPIRED else "cancel"
    await record_change(session, SYSTEM, subscription, verb, before)
    await announce(session, install, subscription, f"subscription.{to.lower()}")
