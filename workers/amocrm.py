"""Actors of amoCRM: tokens kept fresh, and one-time tokens forgotten."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from services import amocrm
from services.amocrm.tokens import REFRESH
from workers.outbox import Message, outbox_handler, stepwise_handler

REFRESHES_A_RUN = 1_000
JOB_ATTEMPTS = 3


@stepwise_handler(REFRESH, max_attempts=20)
async def refresh(message: Message) -> None:
    """Replace the tokens of an install at amoCRM; messages of one install run one after another (INS-4)."""
    await amocrm.refresh(message.payload["tokenId"], force=message.payload["force"])


@outbox_handler("oauth_tokens.refresh", max_attempts=JOB_ATTEMPTS)
async def refresh_due(session: AsyncSession, _message: Message) -> None:
    """Ask for a refresh of each pair of tokens that ends soon, a message each."""
    await amocrm.ask_for_refreshes(session, REFRESHES_A_RUN)


@outbox_handler("widget_token_uses.expire", max_attempts=JOB_ATTEMPTS)
async def expire_token_uses(session: AsyncSession, _message: Message) -> None:
    """Forget used one-time tokens that have ended by themselves."""
    await amocrm.expire_token_uses(session)
