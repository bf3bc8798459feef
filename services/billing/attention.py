"""Money that no rule may touch waits for a person (INV-3)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing import PaymentStatus
from gateways.interface import GatewayState
from models import Invoice, Payment
from services.outbox import enqueue

ATTENTION = "payment.attention"


async def call_a_person(session: AsyncSession, payment: Payment, reason: str) -> None:
    """Leave money that no rule may touch to a person: the message becomes a dead letter at once (INV-3)."""
    await enqueue(session, ATTENTION, {"paymentId": payment.id, "reason": reason}, partner_id=payment.partner_id)


async def call_about_stray(session: AsyncSession, gateway_name: str, state: GatewayState) -> None:
    """Leave money that came for an order that nobody here knows to a person."""
    came = f"{state.amount} came for the order {state.order_id}, payment {state.gateway_payment_id} at {gateway_name}"
    await enqueue(session, ATTENTION, {"reason": f"{came}, which is none of ours"})


async def call_about(session: AsyncSession, invoice: Invoice, reason: str) -> None:
    """Leave the money that has paid an invoice to a person; nothing where none was needed."""
    paid = select(Payment).where(Payment.invoice_id == invoice.id, Payment.status == PaymentStatus.CONFIRMED)
    payment: Payment | None = await session.scalar(paid.order_by(Payment.id.desc()).limit(1))
    if payment is not None:
        await call_a_person(session, payment, reason)
