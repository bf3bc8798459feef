"""Actor of events told to products."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from domain.effects import EVENT_RETRY_DELAYS
from services import events
from workers.outbox import Message, stepwise_handler


async def _give_up(session: AsyncSession, message: Message, _error: str) -> None:
    await events.give_up(session, message.payload["eventId"])


@stepwise_handler(
    events.DELIVER, max_attempts=len(EVENT_RETRY_DELAYS) + 1, delays=EVENT_RETRY_DELAYS, given_up=_give_up
)
async def deliver(message: Message) -> None:
    """One attempt to deliver an event; repeats go on for three days."""
    await events.deliver(message.payload["eventId"])
