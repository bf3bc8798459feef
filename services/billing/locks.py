"""Loads rows of billing in the caller's scope and locks them in one order: install, invoice, payment."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing import LIVE_SUBSCRIPTION
from models import Subscription
from models.base import Base

T = TypeVar("T", bound=Base)


async def live_subscription(session: AsyncSession, install_id: int) -> Subscription | None:
    """The live subscription of an install, locked; at most one by the database's own rule (SUB-1)."""
    wanted = select(Subscription).where(
        Subscription.install_id == install_id, Subscription.status.in_(LIVE_SUBSCRIPTION)
    )
    live: Subscription | None = await session.scalar(wanted.with_for_update())
    return live
