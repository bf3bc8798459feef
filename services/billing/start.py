"""The beginning of a paid period (SUB-3)."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from domain.billing import SubscriptionStatus
from domain.catalog import Term
from domain.periods import anchor_day, period_end
from models import Install, Invoice, Subscription
from services import events
from services.billing.announce import show_on_install
from services.billing.attention import call_about
from services.billing.cards import Card, keep_card
from services.billing.locks import live_subscription
from services.billing.log import record_change, told
from services.billing.more_time import more_time
from services.billing.orders import RENEWALS, withdraw
from services.billing.worth import add_worth


async def start_paid(
    session: AsyncSession, actor: Principal, invoice: Invoice, install: Install, card: Card | None = None
) -> None:
    """Begin or prolong the paid period of an invoice; the install and the invoice are locked.

    A trial becomes paid at the moment of payment. Where a paid subscription lives already (a late payment of an
    old order), its end moves: by the period ordered where it is the same that was ordered, else by the time that the
    money pays for, so that nobody loses the seats or the plan that were paid for since.
    """
    assert invoice.term is not None
    assert invoice.seats is not None
    assert invoice.unit_price is not None
    live = await live_subscription(session, install.id)
    before = None if live is None else told(live)
    zone = clock.zone()
    now = clock.now()
    if live is None:
        live = Subscription(partner_id=install.partner_id, install_id=install.id, product_id=install.product_id)
        session.add(live)
    if live.status in (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE):
        if live.currency != invoice.currency:
            await call_about(session, invoice, f"the subscription of invoice {invoice.number} is in {live.currency}")
            return
        period_start = live.ends_at
        add_worth(live, invoice.total, now)
        if _ordered(live) == (invoice.plan_id, invoice.term, invoice.seats, invoice.unit_price):
            live.ends_at = period_end(period_start, invoice.term.months, live.anchor_day, zone)
        else:
            await more_time(session, live, invoice)
        await withdraw(session, actor, live, RENEWALS, "an earlier order was paid")
        live.past_due_at = None
    else:
        period_start = live.starts_at = now
        live.anchor_day = anchor_day(now, zone)
        live.worth, live.worth_from = invoice.total, now
        live.ends_at = period_end(period_start, invoice.term.months, live.anchor_day, zone)
        live.plan_id, live.term, live.seats = invoice.plan_id, invoice.term, invoice.seats
        live.unit_price, live.currency, live.auto_renew = invoice.unit_price, invoice.currency, invoice.auto_renew
    live.status = SubscriptionStatus.ACTIVE
    await session.flush()
    invoice.subscription_id = live.id
    invoice.period_start, invoice.period_end = period_start, live.ends_at
    show_on_install(install, live)
    keep_card(live, card)
    await record_change(session, actor, live, "activate", before)
    await events.emit(session, install, "subscription.activated", _event(live, invoice))


def _ordered(live: Subscription) -> tuple[int | None, Term, int, Decimal]:
    return live.plan_id, live.term, live.seats, live.unit_price


def _event(subscription: Subscription, invoice: Invoice) -> dict[str, str]:
    return {
        "subscriptionId": str(subscription.id),
        "invoiceNumber": invoice.number,
        "seats": str(subscription.seats),
        "activeUntil": subscription.ends_at.isoformat(),
    }
