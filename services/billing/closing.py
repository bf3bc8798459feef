"""What the gateway is told when an invoice needs a payment no more, or takes the money that is held (INV-2, INV-3)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing import PaymentMethod, PaymentStatus
from models import Invoice, Payment
from services.outbox import enqueue

CLOSE = "payment.close"
CONFIRM = "payment.confirm"
NOT_OPENED = (PaymentStatus.NEW, PaymentStatus.UNKNOWN)


async def close_links(session: AsyncSession, invoice: Invoice, *, but: Payment | None = None) -> None:
    """Have the gateway close the links of a locked invoice after commit, so that nobody pays twice or in vain.

    Parameters:
        but: the payment that has settled the invoice.
    """
    waiting = select(Payment.id).where(
        Payment.invoice_id == invoice.id,
        Payment.method == PaymentMethod.GATEWAY,
        Payment.status.in_((*NOT_OPENED, PaymentStatus.PENDING)),
    )
    for payment_id in await session.scalars(waiting.order_by(Payment.id)):
        if but is None or payment_id != but.id:
            key = f"{CLOSE}:{payment_id}"
            message = {"paymentId": payment_id}
            await enqueue(session, CLOSE, message, ordering_key=key, partner_id=invoice.partner_id)


async def confirm_held(session: AsyncSession, payment: Payment) -> None:
    """Have money that is held taken after commit, or released where its bill was withdrawn meanwhile."""
    message = {"paymentId": payment.id}
    await enqueue(session, CONFIRM, message, ordering_key=f"{CONFIRM}:{payment.id}", partner_id=payment.partner_id)
