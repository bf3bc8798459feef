"""What people do with an issued invoice: a fresh link, paid by hand, cancelled (INV-2)."""

from __future__ import annotations

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict
from core.principal import Principal
from domain import fields
from domain.billing import (
    InvoiceStatus,
    PaymentMethod,
    PaymentStatus,
)
from domain.invoice_actions import InvoiceAction, invoice_blocked
from models import Install, Invoice, Payment
from policies.scopes import require
from services import audit
from services.billing.orders import cancel
from services.billing.payment_log import log_state
from services.billing.payments import new_payment
from services.billing.settle import settle
from services.loading import load

LONGEST_NOTE = 500


class InvoiceNotPayable(Conflict):
    """The invoice is paid, cancelled or refunded."""

    code = "INVOICE_NOT_PAYABLE"


class InvoiceNotVoidable(Conflict):
    """Money has come for the invoice, or it is cancelled already."""

    code = "INVOICE_NOT_VOIDABLE"


async def refresh_payment_link(session: AsyncSession, actor: Principal, *, invoice_id: int) -> Payment:
    """The payment whose link still works, or a new one whose link the gateway gives after commit.

    Raises:
        NotFound: no such invoice in the actor's scope.
        InvoiceNotPayable: it is paid, cancelled, refunded, or the stored card is being charged for it.
    """
    require(actor, "invoice:pay", "Mutation.invoiceRefreshPaymentLink")
    invoice = await load(session, actor, Invoice, invoice_id, field="id", lock=True)
    blocked = invoice_blocked(InvoiceAction.REFRESH_PAYMENT_LINK, invoice.status)
    if blocked is not None:
        raise InvoiceNotPayable(blocked.message, field=("input", "id"))
    newest = select(Payment).where(Payment.invoice_id == invoice.id).order_by(Payment.id.desc()).limit(1)
    payment: Payment | None = await session.scalar(newest.with_for_update())
    if payment is not None and _still_works(payment):
        return payment
    if invoice.status == InvoiceStatus.FAILED:
        invoice.status = InvoiceStatus.PENDING
    fresh = await new_payment(session, invoice, source=actor.label)
    await audit.record(
        session, actor, "invoice.refresh_payment_link", invoice, before=None, after={"paymentId": fresh.id}
    )
    return fresh


async def mark_paid(session: AsyncSession, actor: Principal, *, invoice_id: int, note: str) -> Payment:
    """Record a payment made outside the gateway, for example by bank transfer, and start what it bought.

    Raises:
        NotFound: no such invoice.
        InvoiceNotPayable: it is paid, cancelled or refunded.
        InvalidValue: the note is empty, longer than 500 characters, or more than one line.
    """
    require(actor, "invoice:settle", "Mutation.invoiceMarkPaid")
    note = fields.line(note, "note", most_chars=LONGEST_NOTE)
    return await record_outside(session, actor, invoice_id=invoice_id, note=note, field="id")


async def record_outside(session: AsyncSession, actor: Principal, *, invoice_id: int, note: str, field: str) -> Payment:
    """Settle an invoice by money that came outside of gateways, for a caller that has checked who may.

    Raises:
        NotFound, InvoiceNotPayable: see above; they name ``field``.
    """
    found = await load(session, actor, Invoice, invoice_id, field=field)
    install = None
    if found.install_id is not None:
        install = await load(session, actor, Install, found.install_id, field=field, lock=True)
    invoice = await load(session, actor, Invoice, invoice_id, field=field, lock=True)
    blocked = invoice_blocked(InvoiceAction.MARK_PAID, invoice.status)
    if blocked is not None:
        raise InvoiceNotPayable(blocked.message, field=fields.path(field))
    payment = Payment(
        partner_id=invoice.partner_id,
        invoice_id=invoice.id,
        gateway="manual",
        method=PaymentMethod.MANUAL,
        status=PaymentStatus.CONFIRMED,
        order_id=str(uuid.uuid4()),
        amount=invoice.total,
        currency=invoice.currency,
        confirmed_at=clock.now(),
    )
    session.add(payment)
    await session.flush()
    log_state(session, payment, None, "", actor.label)
    invoice.settled_by_user_id = actor.user_id
    invoice.settlement_note = note
    await settle(session, actor, invoice, install, payment)
    return payment


async def cancel_invoice(session: AsyncSession, actor: Principal, *, invoice_id: int) -> Invoice:
    """Take an unpaid invoice back and have its links closed; money that was faster waits for a person.

    Raises:
        NotFound: no such invoice.
        InvoiceNotVoidable: money has come for it, or it is cancelled already.
    """
    require(actor, "invoice:write", "Mutation.invoiceCancel")
    found = await load(session, actor, Invoice, invoice_id, field="id")
    if found.install_id is not None:
        await load(session, actor, Install, found.install_id, field="id", lock=True)
    invoice = await load(session, actor, Invoice, invoice_id, field="id", lock=True)
    before = invoice.status
    blocked = invoice_blocked(InvoiceAction.CANCEL, before)
    if blocked is not None:
        raise InvoiceNotVoidable(blocked.message, field=("input", "id"))
    await cancel(session, actor, invoice)
    return invoice


def _still_works(payment: Payment) -> bool:
    """Whether the payment's link can be paid, is just being made, or was paid and its money is held."""
    if payment.status in (PaymentStatus.NEW, PaymentStatus.UNKNOWN, PaymentStatus.AUTHORIZED):
        return True
    if payment.status != PaymentStatus.PENDING:
        return False
    return payment.link_expires_at is not None and payment.link_expires_at > clock.now()
