"""Money that no rule may touch waits for a person (INV-3)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from models import Payment
from services.outbox import enqueue

ATTENTION = "payment.attention"


async def call_a_person(session: AsyncSession, payment: Payment, reason: str) -> None:
    """Leave money that no rule may touch to a person: the message becomes a dead letter at once (INV-3)."""
    await enqueue(session, ATTENTION, {"paymentId": payment.id, "reason": reason}, partner_id=payment.partner_id)
