"""Actors of the money path."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from core.database import transaction
from core.logging import get_logger
from gateways.interface import GatewayUnanswered
from services import billing
from services.billing.payments import REFRESH, InFlight
from services.billing.settle import ATTENTION
from services.outbox import PermanentFailure
from workers.outbox import Message, outbox_handler, stepwise_handler

REPAIRS_A_RUN = 200

log = get_logger("workers.billing")


@stepwise_handler("payment.open", max_attempts=15)
async def open_payment(message: Message) -> None:
    """Get a payment its link at the gateway."""
    await billing.open_payment(message.payload["paymentId"])


@outbox_handler("payment.notification", max_attempts=20)
async def apply_notification(session: AsyncSession, message: Message) -> None:
    """Apply a stored notification."""
    await billing.apply_notification(session, message.payload["notificationId"])


@stepwise_handler(REFRESH, max_attempts=3)
async def refresh_payment(message: Message) -> None:
    """Ask the gateway for a payment's state; what it does not answer now is asked again by the next run."""
    payment_id = message.payload["paymentId"]
    try:
        await billing.repair_payment(payment_id)
    except (GatewayUnanswered, InFlight) as error:
        log.warning("payment not asked", payment_id=payment_id, reason=error.message)


@outbox_handler("payments.repair_unknown", max_attempts=3)
async def repair_unknown(session: AsyncSession, _message: Message) -> None:
    """Ask for each payment whose state has been open for long, one message each."""
    await billing.ask_for_unsettled(session, REPAIRS_A_RUN)


@stepwise_handler("billing.cancel_lapsed", queue="default", max_attempts=3)
async def cancel_lapsed(_message: Message) -> None:
    """Cancel orders of changes that nobody paid in time, a transaction a chunk (SUB-5)."""
    while True:
        async with transaction() as session:
            if not await billing.cancel_lapsed(session):
                return


@outbox_handler(ATTENTION, max_attempts=1)
async def call_a_person(_session: AsyncSession, message: Message) -> None:
    """Money that no rule may touch waits as a dead letter until a person has dealt with it and discards it.

    Raises:
        PermanentFailure: always; says what happened.
    """
    raise PermanentFailure(message.payload["reason"])
