"""What a renewal's invoice does to its subscription: paid, declined, withdrawn (SUB-4)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from core.settings import get_settings
from domain.billing import SubscriptionStatus
from domain.periods import period_end
from domain.renewals import next_charge
from gateways.registry import gateway
from models import Install, Invoice, Payment, Subscription
from services import audit, events
from services.billing.announce import announce, show_on_install
from services.billing.cards import Card, CardGatewayGone, forget_card, keep_card
from services.billing.changes_paid import bill_uncovered_seats
from services.billing.coins import top_up_failed
from services.billing.locks import live_subscription
from services.billing.log import record_change, told
from services.billing.more_time import more_time
from services.billing.start import start_paid
from services.billing.worth import add_worth


async def renew_paid(
    session: AsyncSession, actor: Principal, invoice: Invoice, install: Install, card: Card | None
) -> None:
    """Begin the next period, at the end of the running one however late the money came, so that the anchor stays.

    What waited for the renewal takes effect. Where the subscription has ended meanwhile, the money buys a new one
    from now on.
    """
    live = await live_subscription(session, install.id)
    if live is None or live.id != invoice.subscription_id:
        await start_paid(session, actor, invoice, install, card)
        return
    assert invoice.seats is not None
    before = told(live)
    add_worth(live, invoice.total, clock.now())
    invoice.period_start = live.ends_at
    if _as_billed(live, invoice):
        _next_period(live, invoice)
    else:
        await more_time(session, live, invoice)
    invoice.period_end = live.ends_at
    live.status, live.past_due_at = SubscriptionStatus.ACTIVE, None
    show_on_install(install, live)
    keep_card(live, card)
    await record_change(session, actor, live, "renew", before)
    if _as_billed(live, invoice) and live.seats > invoice.seats:
        bought = live.seats - invoice.seats
        await bill_uncovered_seats(session, actor, live, seats=bought, since=invoice.period_start)
    await announce(session, install, live, "subscription.renewed", invoiceNumber=invoice.number)


def _as_billed(live: Subscription, invoice: Invoice) -> bool:
    """Whether the renewal brings what its invoice says; not so where another plan was paid for meanwhile."""
    price = live.unit_price if live.pending_unit_price is None else live.pending_unit_price
    planned = (live.pending_plan_id or live.plan_id, live.pending_term or live.term, price)
    return planned == (invoice.plan_id, invoice.term, invoice.unit_price)


def _next_period(live: Subscription, invoice: Invoice) -> None:
    assert invoice.term is not None
    assert invoice.unit_price is not None
    assert invoice.seats is not None
    live.ends_at = period_end(live.ends_at, invoice.term.months, live.anchor_day, clock.zone())
    live.plan_id, live.term, live.unit_price = invoice.plan_id, invoice.term, invoice.unit_price
    if live.pending_seats is not None:
        live.seats = invoice.seats
    live.pending_plan_id = live.pending_term = live.pending_seats = live.pending_unit_price = None


async def charge_declined(
    session: AsyncSession, actor: Principal, invoice: Invoice, install: Install, payment: Payment
) -> None:
    """Plan the next charge of an invoice whose charge failed, or none: after a hard decline, and after the last day.

    A card that will never work again is forgotten. The days of grace begin when the job that ends periods finds
    that no charge is planned.
    """
    hard = payment.error_code in gateway(payment.gateway).hard_declines
    since = invoice.period_start or invoice.due_at
    invoice.next_charge_at = None if hard else next_charge(since, get_settings().charge_days, clock.now())
    if hard:
        live = await live_subscription(session, install.id)
        if live is not None and live.rebill_id_encrypted is not None:
            before = told(live)
            forget_card(live)
            await record_change(session, actor, live, "forget_card", before)
    planned = invoice.next_charge_at
    if invoice.top_up and planned is None:
        await top_up_failed(session, invoice, install, "CARD_DECLINED")
    await events.emit(
        session,
        install,
        "invoice.payment_failed",
        {"invoiceNumber": invoice.number, "nextAttemptAt": planned and planned.isoformat()},
    )


async def card_not_charged(
    session: AsyncSession, actor: Principal, invoice: Invoice, install: Install, refused: CardGatewayGone
) -> None:
    """Put on record that the stored card was not charged: the invoice waits for its link, a top-up ends.

    The card stays: it is charged again once its merchant account is back.
    """
    told = {"code": refused.code, "reason": refused.message}
    await audit.record(session, actor, "invoice.card_not_charged", invoice, before=None, after=told)
    if invoice.top_up:
        await top_up_failed(session, invoice, install, refused.code)
    failed = {"invoiceNumber": invoice.number, "nextAttemptAt": None}
    await events.emit(session, install, "invoice.payment_failed", failed)
