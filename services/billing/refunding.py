"""Books money that was given back: on the payment, its invoice, and with what it had bought (INV-2)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import SYSTEM, Principal
from domain.billing import INVOICE_TRANSITIONS, InvoiceKind, InvoiceStatus, PaymentStatus
from domain.refunds import (
    ASKED_REFUND,
    OPEN_REFUND,
    RefundedCoins,
    RefundedSubscription,
    RefundNotice,
    RefundStatus,
    refund_notice,
)
from gateways.interface import GatewayState
from models import Install, Invoice, Payment, Refund
from services import audit, events
from services.billing.attention import call_a_person
from services.billing.cancel import end_now
from services.billing.closing_receipts import lower_closing_receipt
from services.billing.locks import live_subscription
from services.billing.payment_log import log_state
from services.billing.surplus import has_paid
from services.billing.take_back import give_back
from services.billing.worth import worth_at

AT_THE_GATEWAY = "Refunded at the gateway"
NO_ANSWER = "NO_ANSWER"


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
    refund.error_code = refund.error_message = None
    await session.flush()
    await _book(session, actor, payment, invoice, sum(await refunds_made(session, payment), Decimal(0)))
    if install is not None and await has_paid(session, invoice, payment):
        await _follow(session, actor, refund, invoice, install)
    told = {"status": RefundStatus.SUCCEEDED, "amount": refund.amount, "note": refund.resolution_note}
    await audit.record(session, actor, "refund.settle", refund, before=None, after=told)


async def fail_refund(
    session: AsyncSession, actor: Principal, refund: Refund, invoice: Invoice, *, code: str | None, message: str | None
) -> None:
    """End a refund by which no money went, once: its coins come back. The refund and its invoice are locked."""
    if refund.status not in OPEN_REFUND:
        return
    refund.status, refund.settled_at = RefundStatus.FAILED, clock.now()
    refund.error_code, refund.error_message = code, message
    if refund.coins_taken:
        await give_back(session, actor, invoice=invoice, coins=refund.coins_taken, reference=refund.key)
    told = {
        "status": RefundStatus.FAILED,
        "error_code": code,
        "payment": refund.payment_id,
        "note": refund.resolution_note,
    }
    await audit.record(session, actor, "refund.fail", refund, before=None, after=told)


async def doubt_refund(session: AsyncSession, refund: Refund, payment: Payment, why: str) -> None:
    """Leave a refund to a person, as nothing can tell whether it was made. It and its payment are locked."""
    if refund.status not in ASKED_REFUND:
        return
    before, refund.status = refund.status, RefundStatus.IN_DOUBT
    refund.error_code, refund.error_message = NO_ANSWER, why
    told = {"status": refund.status, "reason": why}
    await audit.record(session, SYSTEM, "refund.doubt", refund, before={"status": before}, after=told)
    reason = f"refund {refund.id} was made or not ({why}): look at the gateway's cabinet, then resolve it"
    await call_a_person(session, payment, reason)


async def refund_told(
    session: AsyncSession, payment: Payment, state: GatewayState, *, invoice: Invoice, install: Install | None
) -> None:
    """Book what a gateway says was given back: a refund of ours that is under way, or one made at the gateway.

    A part that may be a late repeat of what was told of an earlier refund books nothing, and one that fits nothing
    that is known waits for a person.
    """
    earlier = await refunds_made(session, payment)
    before = sum(earlier, Decimal(0))
    wanted = select(Refund).where(Refund.payment_id == payment.id, Refund.status.in_(OPEN_REFUND))
    ours: Refund | None = await session.scalar(wanted.with_for_update())
    whole = payment.status == PaymentStatus.REFUNDED
    told = payment.amount if whole else state.amount
    assert told is not None, "a part of which nothing is told moves no payment"
    notice = RefundNotice.NEW if whole else refund_notice(told, earlier=earlier, paid=payment.amount)
    if notice == RefundNotice.NEW and ours is not None and (whole or told in (ours.amount, before + ours.amount)):
        await settle_refund(session, SYSTEM, ours, payment, invoice, install)
        before += ours.amount
        told, ours = max(told, before), None
    if notice == RefundNotice.NEW and ours is None and before < told <= payment.amount:
        await book_elsewhere(session, SYSTEM, payment, invoice, install, amount=told - before, reason=AT_THE_GATEWAY)
        return
    await _book(session, SYSTEM, payment, invoice, before)
    if notice == RefundNotice.REPEAT or told == before:
        return
    why = f"the gateway tells of {told} {payment.currency} given back, which is no refund that is known here"
    if ours is None or ours.status != RefundStatus.UNKNOWN:
        await call_a_person(session, payment, why)
    elif notice == RefundNotice.NEW:
        # That something was given back is no sign any more that ours was.
        await doubt_refund(session, ours, payment, why)


async def refunds_made(session: AsyncSession, payment: Payment) -> Sequence[Decimal]:
    """The amounts that were given back of a payment, in the order in which they were booked."""
    made = select(Refund.amount).where(Refund.payment_id == payment.id, Refund.status == RefundStatus.SUCCEEDED)
    return (await session.scalars(made.order_by(Refund.settled_at, Refund.id))).all()


async def add_refund(
    session: AsyncSession,
    actor: Principal,
    payment: Payment,
    *,
    amount: Decimal,
    reason: str,
    subscription: RefundedSubscription = RefundedSubscription.KEEP,
    coins: RefundedCoins = RefundedCoins.LEAVE,
) -> Refund:
    """A refund of a locked payment, under a key of its own; nothing is sent or booked yet.

    Parameters:
        subscription: what becomes of the subscription that was paid.
        coins: what becomes of coins that were bought.
    """
    refund = Refund(
        partner_id=payment.partner_id,
        payment_id=payment.id,
        invoice_id=payment.invoice_id,
        key=str(uuid.uuid4()),
        status=RefundStatus.PENDING,
        amount=amount,
        currency=payment.currency,
        reason=reason,
        subscription=subscription,
        coins=coins,
        requested_by_user_id=actor.user_id,
    )
    session.add(refund)
    await session.flush()
    return refund


async def book_elsewhere(
    session: AsyncSession,
    actor: Principal,
    payment: Payment,
    invoice: Invoice,
    install: Install | None,
    *,
    amount: Decimal,
    reason: str,
) -> Refund:
    """Book money that was given back without us, of a payment without an open refund; all are locked."""
    made = await add_refund(session, actor, payment, amount=amount, reason=reason)
    await settle_refund(session, actor, made, payment, invoice, install)
    return made


async def _book(
    session: AsyncSession, actor: Principal, payment: Payment, invoice: Invoice, given_back: Decimal
) -> None:
    """Bring payment and invoice in step with what was given back."""
    before = payment.status
    payment.refunded_amount = given_back
    whole = given_back >= payment.amount
    if whole:
        payment.status = PaymentStatus.REFUNDED
    else:
        payment.status = PaymentStatus.PARTIALLY_REFUNDED if given_back else PaymentStatus.CONFIRMED
    if payment.status != before:
        log_state(session, payment, before, payment.gateway_status or "", "refund")
    if not given_back:
        return
    await lower_closing_receipt(session, actor, payment)
    to = InvoiceStatus.REFUNDED if whole else InvoiceStatus.PARTIALLY_REFUNDED
    if to in INVOICE_TRANSITIONS[invoice.status] and await has_paid(session, invoice, payment):
        told_before, invoice.status = invoice.status, to
        await audit.record(
            session, actor, f"invoice.{to.lower()}", invoice, before={"status": told_before}, after={"status": to}
        )


async def _follow(session: AsyncSession, actor: Principal, refund: Refund, invoice: Invoice, install: Install) -> None:
    """What was refunded is no credit any more; END_NOW ends what it paid for; the product hears of it."""
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
