"""Which payment an invoice was paid by; whatever came for it besides has bought nothing (INV-1)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models import Invoice, Payment


async def has_paid(session: AsyncSession, invoice: Invoice, payment: Payment) -> bool:
    """Whether it was this payment that paid the invoice: the first whose money came, if the invoice was paid at all."""
    if invoice.paid_at is None:
        return False
    first = select(Payment.id).where(Payment.invoice_id == invoice.id, Payment.confirmed_at.is_not(None))
    return await session.scalar(first.order_by(Payment.confirmed_at, Payment.id).limit(1)) == payment.id
