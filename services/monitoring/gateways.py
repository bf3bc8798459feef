"""Asks the outside services whether they are there; the answers wait for whoever looks (MON-2)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from core import clock
from core.database import transaction
from gateways.interface import GatewayUnanswered
from gateways.reachability import Question, questions
from models import GatewayCheck


async def check_gateways() -> None:
    """Ask every configured service at once, outside of any transaction, and keep what came of it."""
    asked = questions()
    told = await asyncio.gather(*(_ask(name, question) for name, question in asked.items()))
    async with transaction() as session:
        await session.execute(delete(GatewayCheck).where(GatewayCheck.gateway.not_in(list(asked))))
        kept = insert(GatewayCheck)
        fresh = {name: kept.excluded[name] for name in ("reachable", "latency_ms", "error", "checked_at")}
        await session.execute(
            kept.on_conflict_do_update(index_elements=[GatewayCheck.gateway], set_=fresh).values(list(told))
        )


async def _ask(name: str, question: Question) -> dict[str, Any]:
    started = time.perf_counter()
    error: str | None = None
    try:
        await question()
    except GatewayUnanswered as unanswered:
        error = unanswered.message
    return {
        "gateway": name,
        "reachable": error is None,
        "latency_ms": round((time.perf_counter() - started) * 1000),
        "error": error,
        "checked_at": clock.now(),
    }
