"""Actors of access: letters with links to set passwords."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from services import access
from workers.outbox import Message, outbox_handler


@outbox_handler(access.PREPARE_RESET)
async def prepare_password_reset(session: AsyncSession, message: Message) -> None:
    """Write the letter that somebody asked for, if there is somebody to write to (ACC-1)."""
    user_id = message.payload["userId"]
    if user_id is not None:
        await access.prepare_password_reset(session, user_id=user_id)
