"""Loads rows of billing in the caller's scope and locks them in one order: install, invoice, payment."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.principal import Principal
from domain.billing import LIVE_SUBSCRIPTION
from models import Subscription
from models.base import Base
from policies.scopes import scoped

T = TypeVar("T", bound=Base)


async def load(
    session: AsyncSession, actor: Principal, model: type[T], key: int, *, field: str, lock: bool = False
) -> T:
    """The row ``key`` as it is now.

    Parameters:
        field: name of the input field that gave the key, for the error.
        lock: keep it from others until the transaction ends.

    Raises:
        NotFound: it does not exist, or is out of the actor's scope.
    """
    table_key = model.__table__.c["id"]
    wanted = scoped(select(model).where(table_key == key), model, actor).execution_options(populate_existing=True)
    row: T | None = await session.scalar(wanted.with_for_update(key_share=True, of=model) if lock else wanted)
    if row is None:
        raise NotFound.of(model.__name__, field=("input", field))
    return row


async def live_subscription(session: AsyncSession, install_id: int) -> Subscription | None:
    """The live subscription of an install, locked; at most one by the database's own rule (SUB-1)."""
    wanted = select(Subscription).where(
        Subscription.install_id == install_id, Subscription.status.in_(LIVE_SUBSCRIPTION)
    )
    live: Subscription | None = await session.scalar(wanted.with_for_update())
    return live
