"""What the pay pages show of a payment; its order id cannot be guessed, so it is the key to the page."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing import PaymentStatus
from models import Invoice, Payment


@dataclass(frozen=True)
class PaymentCard:
    """A payment without anything personal."""

    order_id: str
    gateway: str
    status: PaymentStatus
    amount: Decimal
    currency: str
    invoice_number: str


async def find_payment(session: AsyncSession, order_id: str) -> PaymentCard | None:
    """The payment with this order id."""
    wanted = (
        select(Payment.gateway, Payment.status, Payment.amount, Payment.currency, Invoice.number)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .where(Payment.order_id == order_id)
    )
    row = (await session.execute(wanted)).one_or_none()
    return None if row is None else PaymentCard(order_id, *row)
