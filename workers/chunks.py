"""Work of unknown length, done chunk by chunk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession

from core.database import transaction


async def chunk_by_chunk(work: Callable[[AsyncSession], Awaitable[int]]) -> int:
    """Repeat ``work`` until it finds nothing more to do, and give the sum of what it did.

    Each chunk is a transaction of its own, so a worker that is killed leaves nothing half done.
    """
    total = 0
    while True:
        async with transaction() as session:
            done = await work(session)
        total += done
        if not done:
            return total
