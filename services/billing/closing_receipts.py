"""Closing receipts (54-FZ): due once a prepayment's service is rendered, sent once, never twice by a repeat (GW-1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import DateTime, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.database import transaction
from core.logging import get_logger
from core.principal import SYSTEM, Principal
from domain.billing import PaymentStatus
from domain.receipts import AWAITS_REGISTER, NOT_MADE, PREPAID, ClosingReceiptStatus, rendered_at
from domain.refunds import OPEN_REFUND
from gateways.interface import GatewayRefused, GatewayUnanswered, GatewayUnreachable, Receipt, RegisteredReceipt
from gateways.registry import gateway
from models import ClosingReceipt, Invoice, Payment, Refund
from services import audit
from services.billing.attention import call_a_person
from services.billing.receipts import closing_receipt_of
from services.outbox import ORIGIN, PermanentFailure, Postponed, origin

SEND = "receipt.close"
CHUNK_ROWS = 1_000
# The cash register tells of a receipt within minutes; after so long a person looks.
TOLD_WITHIN = timedelta(days=1)
REFUND_TAKES = timedelta(minutes=10)
LOCK = {"key_share": True}

log = get_logger("services.billing.closing_receipts")

_PLAN = text(
    """
    WITH due AS (
        SELECT id, partner_id FROM closing_receipts
        WHERE status = 'WAITING' AND due_at <= :now
        ORDER BY due_at LIMIT :rows
        FOR NO KEY UPDATE SKIP LOCKED
    ),
    queued AS (
        UPDATE closing_receipts SET status = 'QUEUED', updated_at = :now FROM due WHERE closing_receipts.id = due.id
    ),
    messages AS (
        INSERT INTO outbox_messages (kind, payload, ordering_key, partner_id, request_id, traceparent)
        SELECT 'receipt.close', jsonb_build_object('closingReceiptId', id), 'receipt.close:' || id, partner_id,
            :request_id, :traceparent
        FROM due
    )
    SELECT count(*) FROM due
    """
).bindparams(bindparam("now", type_=DateTime(timezone=True)), *ORIGIN)


async def owe_closing_receipt(session: AsyncSession, actor: Principal, payment: Payment, invoice: Invoice) -> None:
    """Put on record that a locked payment, whose receipt called it a prepayment, owes a closing one."""
    if payment.receipt_method not in PREPAID:
        return
    assert invoice.paid_at is not None
    owed = ClosingReceipt(
        partner_id=payment.partner_id,
        payment_id=payment.id,
        invoice_id=invoice.id,
        status=ClosingReceiptStatus.WAITING,
        amount=payment.amount,
        currency=payment.currency,
        due_at=rendered_at(invoice.paid_at, invoice.period_end),
    )
    session.add(owed)
    await session.flush()
    told = {"due_at": owed.due_at, "amount": owed.amount}
    await audit.record(session, actor, "closing_receipt.owe", owed, before=None, after=told)


async def plan_closing_receipts(session: AsyncSession, rows: int = CHUNK_ROWS) -> int:
    """Write a message for each receipt whose service has been rendered; gives how many."""
    given = {"now": clock.now(), "rows": rows, **origin()}
    planned: int | None = await session.scalar(_PLAN, given)
    return planned or 0


async def send_closing_receipt(closing_receipt_id: int) -> None:
    """Have the gateway make a closing receipt that is queued, or that failed and that a person sends again.

    It is UNKNOWN before the gateway is called. Nothing tells a repeat from a second receipt, so an answer that is lost
    is waited for: the cash register tells of the receipt, or a person looks.

    Raises:
        PermanentFailure: it cannot be made, and says why.
        Postponed: a refund of the payment is under way.
        GatewayUnreachable: nothing was told; it is safe to call again.
    """
    begun = await _begin(closing_receipt_id)
    if begun is None:
        return
    try:
        await gateway(begun.gateway).close_receipt(begun.gateway_payment_id, begun.receipt)
    except GatewayUnreachable:
        await _move(closing_receipt_id, ClosingReceiptStatus.QUEUED)
        raise
    except GatewayUnanswered as lost:
        log.warning("closing receipt in doubt", closing_receipt_id=closing_receipt_id, reason=lost.message)
        return
    except GatewayRefused as refused:
        await _fail(closing_receipt_id, refused.error_code, refused.message)
        raise PermanentFailure(f"the closing receipt was refused: {refused.message}") from refused
    await _move(closing_receipt_id, ClosingReceiptStatus.SENT)


async def give_up_unanswered_receipts(session: AsyncSession, limit: int) -> int:
    """Leave receipts of which nobody has told for a day to a person; gives how many."""
    lost = (
        select(ClosingReceipt)
        .where(
            ClosingReceipt.status == ClosingReceiptStatus.UNKNOWN,
            ClosingReceipt.sent_at < clock.now() - TOLD_WITHIN,
        )
        .order_by(ClosingReceipt.sent_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    receipts = list(await session.scalars(lost))
    for receipt in receipts:
        await _fail_locked(session, receipt, "NO_ANSWER", "neither the gateway nor the cash register told of it")
        payment = await session.get_one(Payment, receipt.payment_id)
        reason = (
            f"closing receipt {receipt.id} may have been made or not: see the cash register, then record or resend it"
        )
        await call_a_person(session, payment, reason)
    return len(receipts)


async def lower_closing_receipt(session: AsyncSession, actor: Principal, payment: Payment) -> None:
    """Bring the closing receipt of a locked payment in step with a refund: over what is left, or called off."""
    receipt = await _of_payment(session, payment)
    if receipt is None or receipt.status not in NOT_MADE:
        return
    left = payment.amount - payment.refunded_amount
    if left == 0:
        before, receipt.status = receipt.status, ClosingReceiptStatus.CANCELED
        told = {"status": receipt.status}
        await audit.record(session, actor, "closing_receipt.cancel", receipt, before={"status": before}, after=told)
    elif left != receipt.amount:
        lowered, receipt.amount = receipt.amount, left
        after = {"amount": left}
        await audit.record(session, actor, "closing_receipt.lower", receipt, before={"amount": lowered}, after=after)


async def receipt_told(session: AsyncSession, payment: Payment, told: RegisteredReceipt) -> str | None:
    """Note what the cash register tells of a receipt; None, or why nothing changes."""
    locked = await session.get_one(Payment, payment.id, with_for_update=LOCK, populate_existing=True)
    receipt = await _of_payment(session, locked) if told.closing else None
    if told.error is not None:
        if receipt is not None and receipt.status in AWAITS_REGISTER:
            await _fail_locked(session, receipt, "NOT_REGISTERED", told.error)
        what = f"closing receipt {receipt.id}" if receipt is not None else "receipt of the payment"
        await call_a_person(session, locked, f"the cash register refused the {what}: {told.error}")
        return None
    if receipt is None:
        return "the payment's own receipt was registered"
    if receipt.status not in AWAITS_REGISTER:
        return f"the closing receipt is {receipt.status} already"
    before = {"status": receipt.status}
    receipt.status, receipt.registered_at = ClosingReceiptStatus.REGISTERED, clock.now()
    receipt.sent_at = receipt.sent_at or receipt.registered_at
    receipt.fiscal_document, receipt.receipt_url = told.document, told.url
    receipt.error_code = receipt.error_message = None
    after = {"status": receipt.status, "fiscal_document": receipt.fiscal_document}
    await audit.record(session, SYSTEM, "closing_receipt.register", receipt, before=before, after=after)
    return None


@dataclass(frozen=True)
class _Begun:
    """What the gateway is to be told."""

    gateway: str
    gateway_payment_id: str
    receipt: Receipt


async def _begin(closing_receipt_id: int) -> _Begun | None:
    async with transaction() as session:
        payment_id = (await session.get_one(ClosingReceipt, closing_receipt_id)).payment_id
        payment = await session.get_one(Payment, payment_id, with_for_update=LOCK, populate_existing=True)
        closing = await _locked(session, closing_receipt_id)
        if closing.status not in (ClosingReceiptStatus.QUEUED, ClosingReceiptStatus.FAILED):
            return None
        under_way = select(Refund.id).where(Refund.payment_id == payment.id, Refund.status.in_(OPEN_REFUND))
        if await session.scalar(under_way) is not None:
            raise Postponed("a refund of the payment is under way", REFUND_TAKES)
        receipt = await closing_receipt_of(session, payment)
        if payment.status != PaymentStatus.CONFIRMED:
            to = ClosingReceiptStatus.BY_HAND
            unfit = f"the gateway closes whole payments only, and this one is {payment.status}"
        elif receipt is None:
            to = ClosingReceiptStatus.FAILED
            unfit = "there is neither an email nor a phone to send it to"
        else:
            assert payment.gateway_payment_id is not None, "money came through a gateway that knows the payment"
            closing.status, closing.sent_at = ClosingReceiptStatus.UNKNOWN, clock.now()
            return _Begun(payment.gateway, payment.gateway_payment_id, receipt)
        await _fail_locked(session, closing, "NOT_POSSIBLE", unfit, to=to)
    raise PermanentFailure(f"{unfit}; make it at the cash register and record it")


async def _move(closing_receipt_id: int, to: ClosingReceiptStatus) -> None:
    """What came of a receipt that was sent; the cash register may have told more by then."""
    async with transaction() as session:
        receipt = await _locked(session, closing_receipt_id)
        if receipt.status != ClosingReceiptStatus.UNKNOWN:
            return
        before, receipt.status = receipt.status, to
        if to == ClosingReceiptStatus.QUEUED:
            receipt.sent_at = None
            return
        receipt.error_code = receipt.error_message = None
        told = {"status": to, "amount": receipt.amount}
        await audit.record(session, SYSTEM, "closing_receipt.send", receipt, before={"status": before}, after=told)


async def _fail(closing_receipt_id: int, code: str, message: str) -> None:
    async with transaction() as session:
        receipt = await _locked(session, closing_receipt_id)
        if receipt.status == ClosingReceiptStatus.UNKNOWN:
            await _fail_locked(session, receipt, code, message)


async def _fail_locked(
    session: AsyncSession,
    receipt: ClosingReceipt,
    code: str,
    message: str,
    *,
    to: ClosingReceiptStatus = ClosingReceiptStatus.FAILED,
) -> None:
    before, receipt.status = receipt.status, to
    receipt.error_code, receipt.error_message = code, message
    told = {"status": receipt.status, "error_code": code}
    await audit.record(session, SYSTEM, "closing_receipt.fail", receipt, before={"status": before}, after=told)


async def _locked(session: AsyncSession, closing_receipt_id: int) -> ClosingReceipt:
    return await session.get_one(ClosingReceipt, closing_receipt_id, with_for_update=LOCK, populate_existing=True)


async def _of_payment(session: AsyncSession, payment: Payment) -> ClosingReceipt | None:
    owed = select(ClosingReceipt).where(ClosingReceipt.payment_id == payment.id)
    found: ClosingReceipt | None = await session.scalar(owed.with_for_update())
    return found
