"""Actors of the money path."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from services import billing
from services.outbox import enqueue
from workers.outbox import Message, outbox_handler, stepwise_handler

REPAIRS_A_RUN = 200
REFRESH = "payment.refresh"


@stepwise_handler("payment.open", max_attempts=15)
async def open_payment(message: Message) -> None:
    """Get a payment its link at the gateway."""
    await billing.open_payment(message.payload["paymentId"])


@outbox_handler("payment.notification", max_attempts=20)
async def apply_notification(session: AsyncSession, message: Message) -> None:
    """Apply a stored notification."""
    await billing.apply_notification(session, message.payload["notificationId"])


@stepwise_handler(REFRESH, max_attempts=5)
async def refresh_payment(message: Message) -> None:
    """Ask the gateway for a payment's state."""
    await billing.repair_payment(message.payload["paymentId"])


@outbox_handler("payments.repair_unknown", max_attempts=3)
async def repair_unknown(session: AsyncSession, _message: Message) -> None:
    """Ask for each payment whose state has been open for long, one message each."""
    for payment_id in await billing.unsettled_payments(session, REPAIRS_A_RUN):
        await enqueue(session, REFRESH, {"paymentId": payment_id})
