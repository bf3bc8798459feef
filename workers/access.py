"""Actors of access: letters with links to set passwords, and about access grants."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from domain.access_grants import AccessGrantStep
from services import access, access_grant_letters
from workers.outbox import Message, outbox_handler


@outbox_handler(access.PREPARE_RESET)
async def prepare_password_reset(session: AsyncSession, message: Message) -> None:
    """Write the letter that somebody asked for, if there is somebody to write to (ACC-1)."""
    user_id = message.payload["userId"]
    if user_id is not None:
        await access.prepare_password_reset(session, user_id=user_id)


@outbox_handler(access_grant_letters.TELL)
async def tell_of_access_grant(session: AsyncSession, message: Message) -> None:
    """Write to those who may decide on a request, or to the asker what came of it (ACC-5)."""
    step = message.payload["step"]
    told = None if step is None else AccessGrantStep(step)
    await access_grant_letters.write(session, grant_id=message.payload["grantId"], step=told)
