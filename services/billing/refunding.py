"""Gives money back: sent to the gateway once, asked about when in doubt, settled with what it had bought (INV-2)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.database import transaction
from core.principal import SYSTEM, Principal
from domain.billing import INVOICE_TRANSITIONS, InvoiceKind, InvoiceStatus, PaymentStatus
from domain.refunds import OPEN_REFUND, RefundedSubscription, RefundStatus
from gateways.interface import Gateway, GatewayRefused, GatewayState, GatewayUnanswered, Receipt
from gateways.registry import gateway
from models import Install, Invoice, Payment, Refund
from services import audit, events
from services.billing.cancel import end_now
from services.billing.closing_receipts import cancel_closing_receipt
from services.billing.locks import IN_FLIGHT, LOCK, live_subscription, lock_payment
from services.billing.payment_log import log_state
from services.billing.receipts import receipt_of
from services.billing.take_back import give_back
from services.billing.worth import worth_at
from services.outbox import enqueue

SEND = "refund.send"
AT_THE_GATEWAY = "Refunded at the gateway"
ASK_AFTER = timedelta(minutes=1)
_GIVEN_BACK = (PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED, PaymentStatus.REVERSED)


async def send_refund(refund_id: int) -> None:
    """Tell the gateway to give the money back; safe to call again, at once or after a crash.

    Before the gateway is called the refund is UNKNOWN, and every call carries its key, so a repeat gives nothing back
    twice. A gateway that takes its time leaves it UNKNOWN, to be asked about later.

    Raises:
        GatewayUnanswered: what the gateway did is unknown.
    """
    begun = await _begin(refund_id)
    if begun is None:
        return
    service = gateway(begun.gateway)
    try:
        state = await _asked(service, begun) if begun.again else None
        if state is not None and state.refunding:
            return
        if state is None or not _shows(state, begun):
            state = await service.cancel(begun.gateway_payment_id, begun.amount, begun.key, begun.receipt)
    except GatewayRefused as refused:
        await _refuse(refund_id, refused)
        return
    if state.status in _GIVEN_BACK:
        async with transaction() as session:
            install, invoice, payment, refund = await _lock(session, refund_id)
            payment.gateway_status = state.gateway_status
            await settle_refund(session, SYSTEM, refund, payment, invoice, install)


async def ask_for_open_refunds(session: AsyncSession, limit: int) -> int:
    """Write a message for each refund that has been open for long; gives how many."""
    wanted = (
        select(Refund)
        .where(Refund.status.in_(OPEN_REFUND), Refund.updated_at < clock.now() - ASK_AFTER)
        .order_by(Refund.updated_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    refunds = list(await session.scalars(wanted))
    for refund in refunds:
        refund.updated_at = clock.now()
        key = f"{SEND}:{refund.payment_id}"
        await enqueue(session, SEND, {"refundId": refund.id}, ordering_key=key, partner_id=refund.partner_id)
    return len(refunds)


async def settle_refund(
    session: AsyncSession,
    actor: Principal,
    refund: Refund,
    payment: Payment,
    invoice: Invoice,
    install: Install | None,
) -> None:
    """Book money that has been given back, once: on the payment, its invoice and its subscription. All are locked."""
    if refund.status not in OPEN_REFUND:
        return
    refund.status, refund.settled_at = RefundStatus.SUCCEEDED, clock.now()
    await session.flush()
    await _book(session, actor, payment, invoice, at_least=Decimal(0))
    await _follow(session, actor, refund, invoice, install)
    told = {"status": RefundStatus.SUCCEEDED, "amount": refund.amount}
    await audit.record(session, actor, "refund.settle", refund, before=None, after=told)


async def refund_told(
    session: AsyncSession, payment: Payment, state: GatewayState, *, invoice: Invoice, install: Install | None
) -> None:
    """Book what a gateway says was given back: a refund of ours that is under way, or one made at the gateway."""
    full = payment.status == PaymentStatus.REFUNDED
    told = payment.amount if full or state.amount is None else state.amount
    wanted = select(Refund).where(Refund.payment_id == payment.id, Refund.status.in_(OPEN_REFUND))
    ours: Refund | None = await session.scalar(wanted.with_for_update())
    if ours is not None and (full or told in (ours.amount, payment.refunded_amount + ours.amount)):
        await settle_refund(session, SYSTEM, ours, payment, invoice, install)
    elsewhere = told - await _given_back(session, payment)
    if elsewhere > 0 and (full or ours is None):
        made = Refund(
            partner_id=payment.partner_id,
            payment_id=payment.id,
            invoice_id=invoice.id,
            key=str(uuid.uuid4()),
            status=RefundStatus.PENDING,
            amount=elsewhere,
            currency=payment.currency,
            reason=AT_THE_GATEWAY,
        )
        session.add(made)
        await session.flush()
        await settle_refund(session, SYSTEM, made, payment, invoice, install)
    await _book(session, SYSTEM, payment, invoice, at_least=payment.refunded_amount)


@dataclass(frozen=True)
class _Begun:
    """What the gateway is to be told.

    Parameters:
        again: whether it may have been told already.
        first: whether nothing of the payment was given back before.
        receipt: of what is given back, for a part of the payment.
    """

    gateway: str
    gateway_payment_id: str
    amount: Decimal
    key: str
    again: bool
    first: bool
    receipt: Receipt | None


async def _asked(service: Gateway, begun: _Begun) -> GatewayState:
    """The payment's state at the gateway. That a question is refused says nothing of the refund that was sent.

    Raises:
        GatewayUnanswered: also where the gateway refuses to say.
    """
    try:
        return await service.state(begun.gateway_payment_id)
    except GatewayRefused as refused:
        raise GatewayUnanswered(f"the gateway does not say: {refused.message}") from refused


def _shows(state: GatewayState, begun: _Begun) -> bool:
    """Whether a payment's state tells that the refund was made; not every kind of payment knows a repeated key."""
    if state.status == PaymentStatus.PARTIALLY_REFUNDED:
        return begun.first
    return state.status in _GIVEN_BACK


async def _begin(refund_id: int) -> _Begun | None:
    async with transaction() as session:
        refund = await session.get_one(Refund, refund_id, with_for_update=LOCK)
        now = clock.now()
        if refund.status not in OPEN_REFUND:
            return None
        if refund.sent_at is not None and refund.sent_at > now - IN_FLIGHT:
            return None
        again = refund.sent_at is not None
        refund.status, refund.sent_at, refund.updated_at = RefundStatus.UNKNOWN, now, now
        payment = await session.get_one(Payment, refund.payment_id)
        assert payment.gateway_payment_id is not None, "money came through a gateway that knows the payment"
        in_part = refund.amount < payment.amount
        return _Begun(
            gateway=payment.gateway,
            gateway_payment_id=payment.gateway_payment_id,
            amount=refund.amount,
            key=refund.key,
            again=again,
            first=payment.refunded_amount == 0,
            receipt=await receipt_of(session, payment, part=refund.amount) if in_part else None,
        )


async def _refuse(refund_id: int, refused: GatewayRefused) -> None:
    async with transaction() as session:
        _, invoice, payment, refund = await _lock(session, refund_id)
        if refund.status not in OPEN_REFUND:
            return
        refund.status, refund.settled_at = RefundStatus.FAILED, clock.now()
        refund.error_code, refund.error_message = refused.error_code, refused.message
        if refund.coins_taken:
            await give_back(session, SYSTEM, invoice=invoice, coins=refund.coins_taken, reference=refund.key)
        told = {"status": RefundStatus.FAILED, "error_code": refused.error_code, "payment": payment.id}
        await audit.record(session, SYSTEM, "refund.fail", refund, before=None, after=told)


async def _lock(session: AsyncSession, refund_id: int) -> tuple[Install | None, Invoice, Payment, Refund]:
    """In the one order: install, invoice, payment, refund."""
    of_payment = (await session.get_one(Refund, refund_id)).payment_id
    install, invoice, payment = await lock_payment(session, of_payment)
    refund = await session.get_one(Refund, refund_id, with_for_update=LOCK, populate_existing=True)
    return install, invoice, payment, refund


async def _given_back(session: AsyncSession, payment: Payment) -> Decimal:
    total = await session.scalar(
        select(func.coalesce(func.sum(Refund.amount), 0)).where(
            Refund.payment_id == payment.id, Refund.status == RefundStatus.SUCCEEDED
        )
    )
    return Decimal(total or 0)


async def _book(
    session: AsyncSession, actor: Principal, payment: Payment, invoice: Invoice, *, at_least: Decimal
) -> None:
    """Bring payment and invoice in step with the refunds that succeeded."""
    before = payment.status
    payment.refunded_amount = max(at_least, await _given_back(session, payment))
    whole = payment.refunded_amount >= payment.amount
    payment.status = PaymentStatus.REFUNDED if whole else PaymentStatus.PARTIALLY_REFUNDED
    if payment.status != before:
        log_state(session, payment, before, payment.gateway_status or "", "refund")
    if whole:
        await cancel_closing_receipt(session, actor, payment)
    to = InvoiceStatus.REFUNDED if whole else InvoiceStatus.PARTIALLY_REFUNDED
    if to in INVOICE_TRANSITIONS[invoice.status]:
        told_before, invoice.status = invoice.status, to
        await audit.record(
            session, actor, f"invoice.{to.lower()}", invoice, before={"status": told_before}, after={"status": to}
        )


async def _follow(
    session: AsyncSession, actor: Principal, refund: Refund, invoice: Invoice, install: Install | None
) -> None:
    """What was refunded is no credit any more; END_NOW ends what it paid for; the product hears of it."""
    if install is None:
        return
    live = await live_subscription(session, install.id)
    if live is not None and live.id == invoice.subscription_id:
        now = clock.now()
        if not await _used_up(session, invoice, now):
            live.worth = max(Decimal("0.00"), worth_at(live, now) - refund.amount)
            live.worth_from = min(now, live.ends_at)
        if refund.subscription == RefundedSubscription.END_NOW:
            await end_now(session, actor, install, live, reason=f"refund of invoice {invoice.number}")
    told = {
        "invoiceNumber": invoice.number,
        "amount": str(refund.amount),
        "currency": refund.currency,
        "status": invoice.status.value,
        "coinsTaken": str(refund.coins_taken),
    }
    await events.emit(session, install, "invoice.refunded", told)


async def _used_up(session: AsyncSession, invoice: Invoice, now: datetime) -> bool:
    """Whether the time that an invoice paid for is over: a renewal after it runs, and other money pays for that.

    The renewal tells, and not the invoice's own end, which a pause has moved.
    """
    if invoice.period_end is None:
        return False
    after = select(Invoice.id).where(
        Invoice.subscription_id == invoice.subscription_id,
        Invoice.kind == InvoiceKind.RENEWAL,
        Invoice.paid_at.is_not(None),
        Invoice.period_start >= invoice.period_end,
        Invoice.period_start <= now,
    )
    return await session.scalar(after.limit(1)) is not None
