"""Our own people, as those whom partners and work are given to (PAR-1, ONB-1)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.principal import Principal
from domain import fields
from domain.access import UserKind, UserStatus
from models import User
from policies.scopes import require_staff

READ = "colleague:read"
MOST_SHOWN = 100


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


async def colleagues(session: AsyncSession, actor: Principal, *, query: str | None) -> Sequence[User]:
    """Our people who may sign in, by name.

    Parameters:
        query: a part of the name.

    Raises:
        Forbidden: the actor may not know them.
        InvalidValue: the query is too long.
    """
    require_staff(actor, READ, "Query.colleagues")
    ours = select(User).where(User.partner_id.is_(None), User.kind == UserKind.STAFF, User.status == UserStatus.ACTIVE)
    part = fields.optional_line(query, "query")
    if part is not None:
        ours = ours.where(func.lower(User.full_name).contains(part.lower(), autoescape=True))
    return (await session.scalars(ours.order_by(User.full_name, User.id).limit(MOST_SHOWN))).all()
