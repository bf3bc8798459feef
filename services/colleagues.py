"""Our own people, as those whom partners and work are given to (PAR-1, ONB-1)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from domain import fields
from domain.access import UserKind, UserStatus
from models import User


async def check_colleague(session: AsyncSession, user_id: int | None, field: str) -> None:
    """Make sure that a user is one of us who may sign in; nobody is fine.

    Raises:
        NotFound: it is not; names ``field``.
    """
    if user_id is None:
        return
    ours = select(User.id).where(User.id == user_id, User.kind == UserKind.STAFF, User.status == UserStatus.ACTIVE)
    if await session.scalar(ours) is None:
        raise NotFound.of("User", field=fields.path(field))
