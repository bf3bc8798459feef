"""The beat of a process, beside its work (MON-2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from core.database import DATABASE_ERRORS, transaction
from core.logging import get_logger
from domain.monitoring import BEAT_SECONDS, ProcessKind
from services import monitoring

log = get_logger("workers.heartbeat")


async def keep_beating(kind: ProcessKind) -> None:
    """Give a sign of life again and again until cancelled; an unreachable database is waited for."""
    while True:
        try:
            async with transaction() as session:
                await monitoring.beat(session, kind)
        except DATABASE_ERRORS as error:
            log.warning("no heartbeat", error=type(error).__name__)
        await asyncio.sleep(BEAT_SECONDS)


async def beat_until(stopping: asyncio.Event, kind: ProcessKind) -> None:
    """Give signs of life until ``stopping`` is set."""
    async with beating(kind):
        await stopping.wait()


@asynccontextmanager
async def beating(kind: ProcessKind) -> AsyncIterator[None]:
    """Give signs of life for the time of the block, and say good-bye after it."""
    task = asyncio.create_task(keep_beating(kind))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        try:
            async with transaction() as session:
                await monitoring.leave(session, kind)
        except DATABASE_ERRORS as error:
            log.warning("no good-bye", error=type(error).__name__)
