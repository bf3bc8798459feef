"""Charges stored cards for invoices: planned in the database, sent once, asked about when in doubt (SUB-4, INV-3)."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import DateTime, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.database import transaction
from core.principal import SYSTEM
from core.settings import get_settings
from domain.billing import LIVE_SUBSCRIPTION, InvoiceStatus, PaymentMethod, PaymentStatus
from domain.installs import InstallStatus
from domain.partners import PartnerMay, sql_names
from gateways.interface import Gateway, GatewayRefused, GatewayState
from gateways.registry import gateway
from models import Install, Invoice, Payment, Subscription
from services.billing.cards import CardGatewayGone, NoStoredCard, card_of, gateway_of_card
from services.billing.coins import top_up_failed, top_up_wanted
from services.billing.locks import IN_FLIGHT, LOCK, live_subscription
from services.billing.orders import cancel
from services.billing.payment_log import log_state
from services.billing.payments import LINK_LIFE, InFlight, apply_state, order_of
from services.billing.renew import card_not_charged
from services.billing.settle import settle_free
from services.outbox import ORIGIN, origin
from services.partner_standing import standing_allows

CHARGE = "invoice.charge"
CHUNK_ROWS = 1_000
PLAN_LOCK = 7_263_400_006
# A charge that the gateway still calls new after so long was lost on the way to it; closing the payment makes sure.
LOST_AFTER = timedelta(minutes=15)
_CHARGEABLE = (InvoiceStatus.PENDING, InvoiceStatus.FAILED)
_ON_THE_WAY = (PaymentStatus.NEW, PaymentStatus.UNKNOWN, PaymentStatus.PENDING, PaymentStatus.AUTHORIZED)

_PLAN = text(
    f"""
    WITH due AS (
        SELECT id, partner_id FROM invoices
        WHERE next_charge_at <= :now
            AND (SELECT p.status FROM partners p WHERE p.id = invoices.partner_id) IN ({sql_names(PartnerMay.RENEW)})
            AND NOT EXISTS (
            SELECT FROM outbox_messages AS waiting
            WHERE waiting.ordering_key = 'invoice.charge:' || invoices.id AND waiting.status = 'PENDING')
        ORDER BY next_charge_at LIMIT :rows
        FOR NO KEY UPDATE SKIP LOCKED
    ),
    planned AS (
        INSERT INTO outbox_messages (kind, payload, ordering_key, partner_id, request_id, traceparent)
        SELECT 'invoice.charge', jsonb_build_object('invoiceId', id), 'invoice.charge:' || id, partner_id,
            :request_id, :traceparent
        FROM due RETURNING 1
    )
    SELECT count(*) FROM planned
    """  # noqa: S608
).bindparams(bindparam("now", type_=DateTime(timezone=True)), *ORIGIN)


async def plan_due_charges(session: AsyncSession, rows: int = CHUNK_ROWS) -> int:
    """Write a message for each invoice whose day to be charged has come; gives how many."""
    # One planner at a time: a message that another one is about to commit would not be seen.
    await session.execute(select(func.pg_advisory_xact_lock(PLAN_LOCK)))
    given = {"now": clock.now(), "rows": rows, **origin()}
    planned: int | None = await session.scalar(_PLAN, given)
    return planned or 0


async def charge_invoice(invoice_id: int) -> None:
    """Charge the stored card for an invoice that is due for it; safe to call again, at once or after a crash.

    Raises:
        InFlight: another process is at it.
        GatewayUnanswered: what the gateway did is unknown; it is asked before anything is sent again.
    """
    async with transaction() as session:
        payment_id = await _begin(session, invoice_id)
    if payment_id is not None:
        await carry_on(payment_id)


async def carry_on(payment_id: int) -> None:
    """Bring a charge further from wherever it stands: opened at the gateway, sent, or to be asked about.

    Each step is written down before the gateway is called, so a charge is never sent twice.

    Raises:
        InFlight, GatewayUnanswered: see :func:`charge_invoice`.
    """
    async with transaction() as session:
        payment = await session.get_one(Payment, payment_id, with_for_update=LOCK)
        if payment.status not in _ON_THE_WAY:
            return
        now = clock.now()
        began = payment.status != PaymentStatus.NEW
        if began and payment.updated_at > now - IN_FLIGHT:
            raise InFlight("the card is being charged")
        if not began:
            payment.status = PaymentStatus.UNKNOWN
            log_state(session, payment, PaymentStatus.NEW, "", "charge")
        payment.updated_at = now
        name, gateway_payment_id, sent_at = payment.gateway, payment.gateway_payment_id, payment.charge_sent_at
        order = await order_of(session, payment)
    service = gateway(name)
    if sent_at is not None:
        assert gateway_payment_id is not None
        await _ask(payment_id, gateway_payment_id, name, lost=sent_at < clock.now() - LOST_AFTER)
        return
    try:
        if gateway_payment_id is None:
            # An opened payment takes no money by itself, so opening one again would harm nobody.
            opened = (await service.find(order.order_id) if began else None) or await service.open(order)
            gateway_payment_id = opened.gateway_payment_id
            assert gateway_payment_id is not None
        card_key = await _about_to_send(payment_id, gateway_payment_id, service)
        state = await service.charge(gateway_payment_id, card_key)
    except GatewayRefused as refused:
        state = GatewayState.of_refusal(refused)
    await apply_state(payment_id, state, source="charge")


async def _begin(session: AsyncSession, invoice_id: int) -> int | None:
    """Write the payment that is to be sent, or find the one that is on its way."""
    found = await session.get_one(Invoice, invoice_id)
    assert found.install_id is not None
    install = await session.get_one(Install, found.install_id, with_for_update=LOCK, populate_existing=True)
    live = await live_subscription(session, install.id)
    invoice = await session.get_one(Invoice, invoice_id, with_for_update=LOCK, populate_existing=True)
    newest = select(Payment).where(Payment.invoice_id == invoice_id).order_by(Payment.id.desc()).limit(1)
    latest: Payment | None = await session.scalar(newest)
    if latest is not None and latest.method == PaymentMethod.RECURRING and latest.status in _ON_THE_WAY:
        return latest.id
    now = clock.now()
    if invoice.next_charge_at is None or invoice.next_charge_at > now or invoice.status not in _CHARGEABLE:
        return None
    if not await standing_allows(session, invoice.partner_id, PartnerMay.RENEW):
        # It stays planned, for the day on which the partner may renew again.
        return None
    if invoice.total == 0:
        invoice.next_charge_at = None
        await settle_free(session, SYSTEM, invoice, install)
        return None
    if latest is not None and latest.status in _ON_THE_WAY:
        # The customer may be paying by the link right now; the card's turn comes when the link is over. Fresh links
        # must not put it off for ever: after the published days the grace begins, and the link can still be paid.
        link_over = max(latest.link_expires_at or now, now + LOST_AFTER)
        last_day = (invoice.period_start or invoice.due_at) + timedelta(days=get_settings().charge_days[-1])
        invoice.next_charge_at = link_over if link_over <= last_day + LINK_LIFE else None
        return None
    invoice.next_charge_at = None
    if not await top_up_wanted(session, invoice):
        await cancel(session, SYSTEM, invoice, "automatic purchases were switched off")
        return None
    try:
        through = gateway_of_card(live if install.status != InstallStatus.DISABLED else None)
    except NoStoredCard as refused:
        if invoice.top_up:
            await top_up_failed(session, invoice, install, refused.code)
        return None
    except CardGatewayGone as refused:
        await card_not_charged(session, SYSTEM, invoice, install, refused)
        return None
    invoice.status = InvoiceStatus.CHARGING
    invoice.charge_attempts += 1
    return await _new_charge(session, invoice, through)


async def _new_charge(session: AsyncSession, invoice: Invoice, through: Gateway) -> int:
    payment = Payment(
        partner_id=invoice.partner_id,
        invoice_id=invoice.id,
        gateway=through.name,
        method=PaymentMethod.RECURRING,
        status=PaymentStatus.NEW,
        order_id=str(uuid.uuid4()),
        amount=invoice.total,
        currency=invoice.currency,
    )
    session.add(payment)
    await session.flush()
    log_state(session, payment, None, "", "charge")
    return payment.id


async def _about_to_send(payment_id: int, gateway_payment_id: str, service: Gateway) -> str:
    """Write down that the charge leaves now; gives the key of the card.

    Raises:
        GatewayRefused: the money came otherwise, renewals were stopped, there is no card any more, or it is one of
            another merchant account than the payment's.
        InFlight: another process has sent it.
    """
    async with transaction() as session:
        invoice_id = (await session.get_one(Payment, payment_id)).invoice_id
        invoice = await session.get_one(Invoice, invoice_id, with_for_update=LOCK)
        payment = await session.get_one(Payment, payment_id, with_for_update=LOCK, populate_existing=True)
        if payment.charge_sent_at is not None:
            raise InFlight("the card is being charged")
        payment.gateway_payment_id = gateway_payment_id
        payment.charge_sent_at = payment.updated_at = clock.now()
        if invoice.status != InvoiceStatus.CHARGING:
            raise GatewayRefused(f"the invoice is {invoice.status}", "NOT_NEEDED")
        wanted = select(Subscription).where(
            Subscription.install_id == invoice.install_id, Subscription.status.in_(LIVE_SUBSCRIPTION)
        )
        kept: Subscription | None = await session.scalar(wanted)
        # What was so when the charge was begun may have been minutes ago.
        install = await session.get_one(Install, invoice.install_id, populate_existing=True)
        if kept is not None and not kept.auto_renew:
            raise GatewayRefused("renewals are not charged any more", "NOT_NEEDED")
        if install.status == InstallStatus.DISABLED:
            raise GatewayRefused("the install was uninstalled", "NOT_NEEDED")
        if not await standing_allows(session, invoice.partner_id, PartnerMay.RENEW):
            raise GatewayRefused("the partner's standing stops renewals", "NOT_NEEDED")
        if not await top_up_wanted(session, invoice):
            raise GatewayRefused("automatic purchases were switched off", "NOT_NEEDED")
        card = None if kept is None else card_of(kept)
        if card is None:
            raise GatewayRefused("there is no stored card any more", "NO_CARD")
        if card.account not in (service.account, service.name):
            raise GatewayRefused(f"the card is stored at {card.account} by now", "CARD_CHANGED")
        return card.key


async def _ask(payment_id: int, gateway_payment_id: str, name: str, *, lost: bool) -> None:
    service = gateway(name)
    state = await service.state(gateway_payment_id)
    if lost and state.status in (None, PaymentStatus.PENDING):
        async with transaction() as session:
            payment = await session.get_one(Payment, payment_id)
        state = await service.close(gateway_payment_id, payment.order_id)
    await apply_state(payment_id, state, source="repair")
