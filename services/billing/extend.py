"""A later end given by a person: after a payment outside the gateway, or as a longer trial (SUB-6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from domain import fields
from domain.billing import LIVE_SUBSCRIPTION, InvoiceKind, SubscriptionStatus
from domain.periods import anchor_day, period_end
from domain.proration import MOST_MONTHS_BOUGHT, plus_days
from domain.subscription_actions import SubscriptionAction
from models import Invoice, Subscription
from policies.scopes import require
from services.billing.announce import announce, show_on_install
from services.billing.invoices import LONGEST_NOTE, mark_paid
from services.billing.issue import Draft, DraftLine, issue_invoice
from services.billing.log import record_change, told
from services.billing.orders import RENEWALS, withdraw
from services.billing.standing import InHand, look, plan_of, take
from services.billing.worth import add_worth

LONGEST_TRIAL_EXTENSION_DAYS = 365


@dataclass(frozen=True)
class Extension:
    """How far the end moves: by whole months of the subscription's calendar, or to a moment; one of the two."""

    months: int | None = None
    until: datetime | None = None


async def preview_extension(
    session: AsyncSession, actor: Principal, *, subscription_id: int, by: Extension
) -> datetime:
    """The end that an extension would bring, without saving anything.

    Raises:
        NotFound, NotAllowedNow, InvalidValue: see there.
    """
    require(actor, "subscription:read", "Query.subscriptionPreviewExtend")
    return _new_end(await look(session, actor, SubscriptionAction.EXTEND, subscription_id), by)


async def extend_subscription(
    session: AsyncSession,
    actor: Principal,
    *,
    subscription_id: int,
    version: int,
    by: Extension,
    note: str,
    paid: Decimal | None = None,
) -> tuple[Subscription, Invoice | None]:
    """Move the end of a subscription; one that is past due or has ended lives again.

    Parameters:
        note: why, for example the number of the bank transfer; kept in the change log.
        paid: what was paid outside the gateway; billed and marked paid by hand. None where nothing was.

    Raises:
        NotFound, NotAllowedNow, Conflict, InvalidValue, InvalidAmount: see there.
        AlreadySubscribed: another subscription of the install lives meanwhile.
    """
    require(actor, "subscription:adjust", "Mutation.subscriptionExtend")
    note = fields.line(note, "note", most_chars=LONGEST_NOTE)
    held = await take(session, actor, SubscriptionAction.EXTEND, subscription_id=subscription_id, version=version)
    subscription, before, now = held.subscription, told(held.subscription), clock.now()
    if paid is not None and fields.amount(paid, "paidAmount") == 0:
        raise fields.InvalidAmount("paidAmount is left out where nothing was paid", field=fields.path("paidAmount"))
    end = _new_end(subscription, by)
    since = subscription.ends_at
    if subscription.status not in LIVE_SUBSCRIPTION:
        since = now
        _begin_anew(subscription, now)
    add_worth(subscription, paid or Decimal("0.00"), now)
    subscription.ends_at = end
    if by.months is None:
        subscription.anchor_day = anchor_day(end, clock.zone())
    subscription.status, subscription.past_due_at = SubscriptionStatus.ACTIVE, None
    invoice = None if paid is None else await _bill(session, actor, held, paid, since, note)
    show_on_install(held.install, subscription)
    await withdraw(session, actor, subscription, RENEWALS, "the subscription was extended by hand")
    await record_change(session, actor, subscription, "extend", before, reason=note)
    await announce(session, held.install, subscription, "subscription.changed")
    return subscription, invoice


async def extend_trial(
    session: AsyncSession, actor: Principal, *, subscription_id: int, version: int, days: int, reason: str | None = None
) -> Subscription:
    """Give a trial more days from its end, or from now where it has ended already.

    Raises:
        NotFound, NotAllowedNow, Conflict, InvalidValue: see there.
        AlreadySubscribed: another subscription of the install lives meanwhile.
    """
    require(actor, "subscription:adjust", "Mutation.subscriptionExtendTrial")
    fields.whole(days, "days", least=1, most=LONGEST_TRIAL_EXTENSION_DAYS)
    reason = fields.optional_line(reason, "reason", most_chars=LONGEST_NOTE)
    action = SubscriptionAction.EXTEND_TRIAL
    held = await take(session, actor, action, subscription_id=subscription_id, version=version)
    subscription, before, now = held.subscription, told(held.subscription), clock.now()
    subscription.status = SubscriptionStatus.TRIAL
    subscription.ends_at = plus_days(max(now, subscription.ends_at), days, clock.zone())
    subscription.anchor_day = anchor_day(subscription.ends_at, clock.zone())
    show_on_install(held.install, subscription)
    await record_change(session, actor, subscription, "extend_trial", before, reason=reason)
    await announce(session, held.install, subscription, "subscription.changed")
    return subscription


def _new_end(subscription: Subscription, by: Extension) -> datetime:
    now = clock.now()
    if (by.months is None) == (by.until is None):
        raise fields.InvalidValue("give either months or until", field=fields.path("months"))
    alive = subscription.status in LIVE_SUBSCRIPTION
    if by.months is not None:
        fields.whole(by.months, "months", least=1, most=MOST_MONTHS_BOUGHT)
        since = subscription.ends_at if alive else now
        anchor = subscription.anchor_day if alive else anchor_day(now, clock.zone())
        end = period_end(since, by.months, anchor, clock.zone())
    else:
        assert by.until is not None
        end = by.until
    if end <= now or (alive and end <= subscription.ends_at):
        raise fields.InvalidValue(
            "the new end must lie in the future and after the present one", field=fields.path("until")
        )
    if end > period_end(now, MOST_MONTHS_BOUGHT * 2, anchor_day(now, clock.zone()), clock.zone()):
        raise fields.InvalidValue(
            f"the new end may be at most {MOST_MONTHS_BOUGHT * 2} months from now", field=fields.path("until")
        )
    return end


def _begin_anew(subscription: Subscription, now: datetime) -> None:
    """Let a subscription that has ended begin again; the caller moves its end and status."""
    subscription.starts_at = now
    subscription.worth, subscription.worth_from = Decimal("0.00"), now
    subscription.anchor_day = anchor_day(now, clock.zone())
    subscription.canceled_at = subscription.invoiced_until = None
    subscription.cancel_at_period_end = False


async def _bill(
    session: AsyncSession,
    actor: Principal,
    held: InHand,
    paid: Decimal,
    since: datetime,
    note: str,
) -> Invoice:
    """The invoice of an extension that was paid outside, settled by hand."""
    subscription = held.subscription
    plan = await plan_of(session, subscription)
    end = subscription.ends_at.astimezone(clock.zone()).date().isoformat()
    invoice = await issue_invoice(
        session,
        actor,
        Draft(
            partner_id=subscription.partner_id,
            install_id=subscription.install_id,
            subscription_id=subscription.id,
            kind=InvoiceKind.ONE_OFF,
            currency=subscription.currency,
            plan_id=plan.id,
            seats=subscription.seats,
            period_start=since,
            period_end=subscription.ends_at,
            lines=(DraftLine(f"{plan.name}, {subscription.seats} until {end}", Decimal(1), paid, paid),),
        ),
    )
    await mark_paid(session, actor, invoice_id=invoice.id, note=note)
    return invoice
