"""Rows that verbs work with: found in the caller's reach, and kept from others where they are to change."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.principal import Principal
from domain import fields
from models.base import Base
from policies.scopes import scoped

T = TypeVar("T", bound=Base)


async def load(
    session: AsyncSession,
    actor: Principal,
    model: type[T],
    key: int,
    *,
    field: str = "id",
    lock: bool = False,
    references: bool = False,
) -> T:
    """The row ``key`` as it is now.

    Parameters:
        field: name of the input field that gave the key, for the error.
        lock: keep it from others until the transaction ends.
        references: with the lock, also keep others from writing rows that point to it by foreign keys.

    Raises:
        NotFound: it does not exist, or is out of the actor's reach.
    """
    table_key = model.__table__.c["id"]
    wanted = scoped(select(model).where(table_key == key), model, actor).execution_options(populate_existing=True)
    if lock:
        wanted = wanted.with_for_update(key_share=not references, of=model)
    row: T | None = await session.scalar(wanted)
    if row is None:
        raise NotFound.of(model.__name__, field=fields.path(field))
    return row
