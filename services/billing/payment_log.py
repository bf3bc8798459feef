"""The history of payments: every step with where it came from (INV-3)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing import PaymentStatus
from models import Payment, PaymentStateChange


def log_state(
    session: AsyncSession, payment: Payment, before: PaymentStatus | None, gateway_status: str, source: str
) -> None:
    """Write one step of a payment's history."""
    session.add(
        PaymentStateChange(
            partner_id=payment.partner_id,
            payment_id=payment.id,
            from_status=before,
            to_status=payment.status,
            gateway_status=gateway_status or None,
            source=source,
        )
    )
