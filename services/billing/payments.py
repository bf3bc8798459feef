"""Payments: opening one at its gateway, asking for its state, and moving it forward only (INV-3)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.database import transaction
from core.errors import KontoraError
from core.logging import get_logger
from core.principal import SYSTEM
from core.settings import get_settings
from domain.billing import INVOICE_TRANSITIONS, PAYMENT_TRANSITIONS, InvoiceStatus, PaymentMethod, PaymentStatus
from domain.effects import OutboxStatus
from gateways.interface import GatewayRefused, GatewayState, OpenRequest
from gateways.registry import gateway
from models import Invoice, OutboxMessage, Payment
from services.billing.attention import call_a_person
from services.billing.locks import IN_FLIGHT, LOCK, lock_payment
from services.billing.payment_log import log_state
from services.billing.receipts import receipt_of
from services.billing.settle import follow_card, follow_payment
from services.outbox import enqueue

OPEN = "payment.open"
REFRESH = "payment.refresh"
LINK_LIFE = timedelta(hours=24)
# The request that wrote the payment opens it right after its commit; the outbox is for when it could not.
OPEN_DELAY = timedelta(seconds=5)
REPAIR_AFTER = timedelta(minutes=1)
ASK_PENDING_AFTER = timedelta(minutes=10)
# In these states a gateway tells the whole amount of a payment, which is what was asked for or somebody else's.
WHOLE_AMOUNT = frozenset({PaymentStatus.AUTHORIZED, PaymentStatus.CONFIRMED})

log = get_logger("services.billing.payments")


class InFlight(KontoraError):
    """Another process is talking to the gateway about this payment now."""

    code = "IN_FLIGHT"


async def new_payment(session: AsyncSession, invoice: Invoice, *, source: str) -> Payment:
    """An attempt to settle an invoice that the caller has locked or just issued; the link comes after commit."""
    payment = Payment(
        partner_id=invoice.partner_id,
        invoice_id=invoice.id,
        gateway=get_settings().gateway,
        method=PaymentMethod.GATEWAY,
        status=PaymentStatus.NEW,
        order_id=str(uuid.uuid4()),
        amount=invoice.total,
        currency=invoice.currency,
    )
    session.add(payment)
    await session.flush()
    log_state(session, payment, None, "", source)
    await enqueue(session, OPEN, {"paymentId": payment.id}, delay=OPEN_DELAY, partner_id=payment.partner_id)
    return payment


async def open_payment(payment_id: int) -> None:
    """Get a payment its link; safe to call again, at once or after a crash.

    Before the gateway is called the payment is UNKNOWN, so that a lost answer is never taken for "not sent".

    Raises:
        InFlight: another process is at it.
        GatewayUnanswered: what the gateway did is unknown; the next call asks it first.
    """
    request = await _begin(payment_id)
    if request is None:
        return
    asked, order = request
    name = await _gateway_of(payment_id)
    service = gateway(name)
    try:
        state = (await service.find(order.order_id) if asked else None) or await service.open(order)
    except GatewayRefused as refused:
        state = GatewayState.of_refusal(refused)
    await apply_state(payment_id, state, source="init", expires_at_of=order)


async def unsettled_payments(session: AsyncSession, limit: int) -> list[int]:
    """Payments to ask the gateway about, and that nobody is about to ask for: unclear for a minute, waiting for ten.

    A waiting payment is marked as asked; an unclear one is not, for its time tells whether it is in flight.
    """
    now = clock.now()
    waiting = (PaymentStatus.PENDING, PaymentStatus.AUTHORIZED)
    unclear = (PaymentStatus.NEW, PaymentStatus.UNKNOWN)
    asked_soon = exists().where(
        OutboxMessage.ordering_key == func.concat(REFRESH, ":", Payment.id),
        OutboxMessage.status == OutboxStatus.PENDING,
    )
    wanted = (
        select(Payment.id)
        .where(
            Payment.method != PaymentMethod.MANUAL,
            or_(
                Payment.status.in_(unclear) & (Payment.updated_at < now - REPAIR_AFTER),
                Payment.status.in_(waiting) & (Payment.updated_at < now - ASK_PENDING_AFTER),
            ),
            ~asked_soon,
        )
        .order_by(Payment.updated_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    payments = list(await session.scalars(wanted))
    asked = (Payment.id.in_(payments), Payment.status.in_(waiting))
    await session.execute(update(Payment).where(*asked).values(updated_at=now))
    return payments


async def ask_for_unsettled(session: AsyncSession, limit: int) -> int:
    """Write a message for each payment that :func:`unsettled_payments` finds; gives their number."""
    payments = await unsettled_payments(session, limit)
    for payment_id in payments:
        await enqueue(session, REFRESH, {"paymentId": payment_id}, ordering_key=f"{REFRESH}:{payment_id}")
    return len(payments)


async def advance(session: AsyncSession, payment_id: int, state: GatewayState, *, source: str) -> str | None:
    """Move a payment to the state told, and what hangs on it; None, or why nothing moved (INV-3)."""
    install, invoice, payment = await lock_payment(session, payment_id)
    _remember(payment, state)
    untold = state.status == PaymentStatus.PARTIALLY_REFUNDED and state.amount is None
    if untold:
        # The money came, and a part of it went back; how much, a notification tells or a person finds out.
        state = replace(state, status=PaymentStatus.CONFIRMED)
    kept = await follow_card(session, payment, state, invoice=invoice, install=install)
    stays = _stays(payment, state)
    if stays is not None:
        return None if kept else stays
    before = payment.status
    assert state.status is not None
    payment.status = state.status
    payment.gateway_status = state.gateway_status
    payment.error_code, payment.error_message = state.error_code, state.error_message
    log_state(session, payment, before, state.gateway_status, source)
    await follow_payment(session, SYSTEM, payment, before, state, invoice=invoice, install=install)
    if untold:
        await call_a_person(session, payment, "a part of the money was given back at the gateway, and not by us")
    return None


def _stays(payment: Payment, state: GatewayState) -> str | None:
    """Why a payment is not moved by what was told; None where it is."""
    before = payment.status
    if state.status is None:
        return f"the gateway's state {state.gateway_status!r} moves nothing"
    if state.status == before and before != PaymentStatus.PARTIALLY_REFUNDED:
        return f"the payment is {before} already"
    if state.status != before and state.status not in PAYMENT_TRANSITIONS[before]:
        return f"the payment is {before}, and {state.status} would be a step back"
    if state.status in WHOLE_AMOUNT and state.amount not in (None, payment.amount):
        return f"the amount is {state.amount} instead of {payment.amount}"
    return None


async def _begin(payment_id: int) -> tuple[bool, OpenRequest] | None:
    """Mark the payment as sent; gives whether to ask before sending, and what to send."""
    async with transaction() as session:
        payment = await session.get_one(Payment, payment_id, with_for_update=LOCK)
        now = clock.now()
        if payment.status not in (PaymentStatus.NEW, PaymentStatus.UNKNOWN) or payment.payment_link is not None:
            return None
        asked = payment.status == PaymentStatus.UNKNOWN
        invoice = await session.get_one(Invoice, payment.invoice_id)
        if not asked and InvoiceStatus.PAID not in INVOICE_TRANSITIONS[invoice.status]:
            payment.status = PaymentStatus.CANCELED
            log_state(session, payment, PaymentStatus.NEW, "", "init")
            return None
        if asked and payment.updated_at > now - IN_FLIGHT:
            raise InFlight("the payment is being opened")
        if not asked:
            payment.status = PaymentStatus.UNKNOWN
            log_state(session, payment, PaymentStatus.NEW, "", "init")
        payment.updated_at = now
        return asked, await order_of(session, payment)


async def order_of(session: AsyncSession, payment: Payment) -> OpenRequest:
    """What the gateway is to be told of a payment that the caller has locked; notes what its receipt calls it."""
    invoice = await session.get_one(Invoice, payment.invoice_id)
    base_url = get_settings().base_url
    receipt = await receipt_of(session, payment)
    payment.receipt_method = None if receipt is None else receipt.method
    return OpenRequest(
        order_id=payment.order_id,
        amount=payment.amount,
        currency=payment.currency,
        description=f"Invoice {invoice.number}",
        customer_key=f"partner-{payment.partner_id}",
        # A payment from a stored card must not store a card again (API v2, Charge).
        recurrent=invoice.auto_renew and payment.method == PaymentMethod.GATEWAY,
        notification_url=f"{base_url}/webhooks/{payment.gateway}",
        return_url=f"{base_url}/pay/return/{payment.order_id}",
        expires_at=clock.now() + LINK_LIFE,
        receipt=receipt,
    )


async def _gateway_of(payment_id: int) -> str:
    async with transaction() as session:
        return (await session.get_one(Payment, payment_id)).gateway


async def apply_state(
    payment_id: int, state: GatewayState, *, source: str, expires_at_of: OpenRequest | None = None
) -> None:
    """Move a payment to the state that the gateway told, in a transaction of its own.

    Parameters:
        expires_at_of: the order whose link was just made, for the time at which the link ends.
    """
    async with transaction() as session:
        moved = await advance(session, payment_id, state, source=source)
        if expires_at_of is not None and state.payment_link is not None:
            payment = await session.get_one(Payment, payment_id)
            payment.link_expires_at = expires_at_of.expires_at
    if moved is not None:
        log.info("payment stays", payment_id=payment_id, source=source, reason=moved)


def _remember(payment: Payment, state: GatewayState) -> None:
    """Keep what the gateway told beside the state; later answers never take anything away."""
    payment.gateway_payment_id = payment.gateway_payment_id or state.gateway_payment_id
    payment.payment_link = payment.payment_link or state.payment_link
    payment.masked_card = state.masked_card or payment.masked_card
    payment.rrn = state.rrn or payment.rrn
    payment.authorization_code = state.authorization_code or payment.authorization_code
    payment.gateway_answer = state.raw or payment.gateway_answer
