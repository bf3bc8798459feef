"""What begins when the invoice of a change is paid: more seats, or another plan or term (SUB-5, SUB-6)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from domain.billing import LIVE_SUBSCRIPTION, InvoiceKind, SubscriptionStatus
from domain.periods import anchor_day
from domain.pricing import quote
from domain.proration import time_bought, whole_months_left
from models import Install, Invoice, Plan, Subscription
from services.billing.announce import announce, show_on_install
from services.billing.attention import call_about
from services.billing.cards import Card, keep_card
from services.billing.issue import Draft, DraftLine, issue_invoice
from services.billing.log import record_change, told
from services.billing.orders import RENEWALS, withdraw
from services.billing.worth import add_worth, worth_at


async def seats_paid(
    session: AsyncSession, actor: Principal, invoice: Invoice, install: Install, card: Card | None
) -> None:
    """Add the seats that were paid for; the install and the invoice are locked (SUB-5)."""
    subscription = await _alive(session, invoice)
    if subscription is None:
        return
    assert invoice.seats is not None
    before, now = told(subscription), clock.now()
    add_worth(subscription, invoice.total, now)
    subscription.seats += invoice.seats
    keep_card(subscription, card)
    await record_change(session, actor, subscription, "add_seats", before)
    await withdraw(session, actor, subscription, RENEWALS, "seats were added")
    assert invoice.period_end is not None
    if subscription.ends_at > invoice.period_end:
        await bill_uncovered_seats(session, actor, subscription, seats=invoice.seats, since=invoice.period_end)
    await announce(session, install, subscription, "subscription.changed", invoiceNumber=invoice.number)


async def plan_paid(
    session: AsyncSession, actor: Principal, invoice: Invoice, install: Install, card: Card | None
) -> None:
    """Begin the period of the new plan at the moment of the order; the install and the invoice are locked (SUB-6).

    All that was paid for the time after that moment counts: the invoice, the credit on it, and a renewal that was
    paid meanwhile. What exceeds the new price is time.
    """
    subscription = await _alive(session, invoice)
    if subscription is None:
        return
    assert invoice.period_start is not None
    assert invoice.period_end is not None
    assert invoice.term is not None
    assert invoice.seats is not None
    assert invoice.unit_price is not None
    before, now = told(subscription), clock.now()
    start = invoice.period_start if invoice.period_end > now else now
    zone = clock.zone()
    plan = await session.get_one(Plan, invoice.plan_id)
    new = quote(
        model=plan.pricing_model,
        term=invoice.term,
        seats=invoice.seats,
        unit_price=invoice.unit_price,
        currency=invoice.currency,
    )
    # Seats that were bought after the order stay: the order of a change and of seats exclude each other.
    subscription.worth = invoice.total + worth_at(subscription, start)
    subscription.worth_from = start
    _take_over(subscription, invoice, start, time_bought(subscription.worth, new, start, anchor_day(start, zone), zone))
    subscription.anchor_day = anchor_day(subscription.ends_at, zone)
    # The renewal of the end that is no more does not count for the new one, though that may come sooner.
    subscription.invoiced_until = subscription.past_due_at = None
    keep_card(subscription, card)
    show_on_install(install, subscription)
    await record_change(session, actor, subscription, "change_plan", before)
    await withdraw(session, actor, subscription, RENEWALS, "the plan changed")
    await announce(session, install, subscription, "subscription.changed", invoiceNumber=invoice.number)


async def bill_uncovered_seats(
    session: AsyncSession, actor: Principal, subscription: Subscription, *, seats: int, since: datetime
) -> Invoice | None:
    """Bill seats that a renewal, priced before they were bought, did not pay for; None where they cost nothing.

    Parameters:
        since: from when they are not paid, up to the subscription's end.
    """
    plan = await session.get(Plan, subscription.plan_id)
    if plan is None:
        return None
    zone = clock.zone()
    months = max(1, whole_months_left(since, subscription.ends_at, subscription.anchor_day, zone))
    price = quote(
        model=plan.pricing_model,
        term=subscription.term,
        seats=subscription.seats,
        unit_price=subscription.unit_price,
        currency=subscription.currency,
    )
    if price.quantity != price.seats or price.unit_price == 0:
        return None
    amount = price.unit_price * months * seats
    line = DraftLine.of_months(plan.name, months, seats, price.unit_price, amount)
    return await issue_invoice(
        session,
        actor,
        Draft(
            partner_id=subscription.partner_id,
            install_id=subscription.install_id,
            subscription_id=subscription.id,
            kind=InvoiceKind.ONE_OFF,
            currency=subscription.currency,
            plan_id=plan.id,
            seats=seats,
            unit_price=price.unit_price,
            auto_renew=False,
            period_start=since,
            period_end=subscription.ends_at,
            lines=(line,),
        ),
    )


def _take_over(subscription: Subscription, invoice: Invoice, start: datetime, end: datetime) -> None:
    assert invoice.term is not None
    assert invoice.seats is not None
    assert invoice.unit_price is not None
    subscription.status = SubscriptionStatus.ACTIVE
    subscription.plan_id, subscription.term, subscription.seats = invoice.plan_id, invoice.term, invoice.seats
    subscription.unit_price = invoice.unit_price
    subscription.starts_at, subscription.ends_at = start, end
    subscription.pending_plan_id = subscription.pending_term = None
    subscription.pending_seats = subscription.pending_unit_price = None


async def _alive(session: AsyncSession, invoice: Invoice) -> Subscription | None:
    """The invoice's subscription, locked; None, and a person is called, where it has ended before the money came."""
    wanted = select(Subscription).where(Subscription.id == invoice.subscription_id)
    subscription: Subscription | None = await session.scalar(
        wanted.with_for_update(key_share=True).execution_options(populate_existing=True)
    )
    if subscription is not None and subscription.status in LIVE_SUBSCRIPTION:
        return subscription
    await call_about(session, invoice, f"invoice {invoice.number} was paid after its subscription had ended")
    return None
