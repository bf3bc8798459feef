"""Actors of letters: sent, given up, forgotten."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from domain.mail import MAIL_RETRY_DELAYS
from services import mail
from workers.outbox import Message, stepwise_handler


async def _give_up(session: AsyncSession, message: Message, error: str) -> None:
    await mail.give_up(session, message.payload["mailId"], error)


@stepwise_handler(mail.DELIVER, max_attempts=len(MAIL_RETRY_DELAYS) + 1, delays=MAIL_RETRY_DELAYS, given_up=_give_up)
async def deliver(message: Message) -> None:
    """One attempt to send a letter; repeats go on for a day."""
    await mail.deliver(message.payload["mailId"])
