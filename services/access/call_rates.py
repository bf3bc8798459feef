"""Rates of calls that cost others something, counted by the database over all processes (ACC-1).

Whoever is limited is limited on every process, and whether Redis lives or not. Doors of programs, whose rates are
high, keep theirs in each process (`core.rates`).
"""

from __future__ import annotations

import math

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.crypto import keyed_hash
from core.rates import RateLimited, pace

PURPOSE = "call_rate"


async def count_call(session: AsyncSession, what: str, who: str, *, per_minute: int) -> None:
    """Count a call in the caller's transaction, once a transaction; it is not counted where that is rolled back.

    Parameters:
        what: the kind of call.
        who: whose calls are counted; kept as a hash, for it may be somebody's address.

    Raises:
        RateLimited: it is one too many.
    """
    interval, burst = pace(per_minute)
    wait = await session.scalar(select(func.count_call(keyed_hash(f"{what}:{who}", PURPOSE), interval, burst)))
    assert wait is not None, "the function always tells"
    if wait > 0:
        raise RateLimited(max(1, math.ceil(wait)))
