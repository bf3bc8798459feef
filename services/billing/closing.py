"""Links that must take no money any more: their invoice is paid another way, or was withdrawn (INV-2, INV-3)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing import PaymentMethod, PaymentStatus
from models import Invoice, Payment
from services.outbox import enqueue

CLOSE = "payment.close"
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
