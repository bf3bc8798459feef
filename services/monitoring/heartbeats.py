"""Processes say that they live; by the database's clock, which no test and no sandbox moves (MON-2)."""

from __future__ import annotations

import os
import socket

from sqlalchemy import delete, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.monitoring import ProcessKind
from models import ProcessHeartbeat

FORGOTTEN_AFTER = text("interval '1 day'")


def process_name(kind: ProcessKind) -> str:
    """A name that tells this process from all others of the installation."""
    return f"{kind.value.lower()}@{socket.gethostname()}:{os.getpid()}"


async def beat(session: AsyncSession, kind: ProcessKind) -> None:
    """Say that this process lives, and forget those that went without a word long ago."""
    mine = insert(ProcessHeartbeat).values(name=process_name(kind), kind=kind)
    await session.execute(
        mine.on_conflict_do_update(index_elements=[ProcessHeartbeat.name], set_={"seen_at": func.now()})
    )
    await session.execute(delete(ProcessHeartbeat).where(ProcessHeartbeat.seen_at < func.now() - FORGOTTEN_AFTER))


async def leave(session: AsyncSession, kind: ProcessKind) -> None:
    """Take this process off the list: it ends in order."""
    await session.execute(delete(ProcessHeartbeat).where(ProcessHeartbeat.name == process_name(kind)))
