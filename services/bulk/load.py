"""One bulk operation in the caller's reach."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.principal import Principal
from domain import fields
from models import BulkOperation
from policies.scopes import scoped


async def load(session: AsyncSession, actor: Principal, operation_id: int, *, lock: bool = False) -> BulkOperation:
    """One operation in the actor's reach.

    Raises:
        NotFound: there is none.
    """
    found = scoped(select(BulkOperation).where(BulkOperation.id == operation_id), BulkOperation, actor)
    operation: BulkOperation | None = await session.scalar(found.with_for_update() if lock else found)
    if operation is None:
        raise NotFound.of("BulkOperation", field=fields.path("id"))
    return operation
