"""Processes say that they live; by the database's clock, which no test and no sandbox moves (MON-2)."""

from __future__ import annotations

import os
import secrets
import socket

from sqlalchemy import delete, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.monitoring import ProcessKind
from models import ProcessHeartbeat

FORGOTTEN_AFTER = text("interval '1 day'")
_THIS_LIFE = secrets.token_urlsafe(9)


def process_name(kind: ProcessKind) -> str:
    """A name that tells this process from all others of the installation."""
    return f"{kind.value.lower()}@{socket.gethostname()}:{os.getpid()}"


async def beat(session: AsyncSession, kind: ProcessKind) -> None:
    """Say that this process lives, and forget those that went without a word long ago."""
    mine = insert(ProcessHeartbeat).values(run=_run(kind), name=process_name(kind), kind=kind)
    await session.execute(
        mine.on_conflict_do_update(
            index_elements=[ProcessHeartbeat.run], set_={"seen_at": func.now(), "ended_at": None}
        )
    )
    await session.execute(delete(ProcessHeartbeat).where(ProcessHeartbeat.seen_at < func.now() - FORGOTTEN_AFTER))


async def leave(session: AsyncSession, kind: ProcessKind) -> None:
    """Say that this process ends in order; for a day it is told of still, so that restarts are seen."""
    mine = update(ProcessHeartbeat).where(ProcessHeartbeat.run == _run(kind))
    await session.execute(mine.values(seen_at=func.now(), ended_at=func.now()))


def _run(kind: ProcessKind) -> str:
    return f"{kind.value.lower()}:{_THIS_LIFE}"
