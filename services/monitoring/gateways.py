"""Asks the gateways whether they are there; the answers wait for whoever looks (MON-2)."""

from __future__ import annotations

import time

from sqlalchemy.dialects.postgresql import insert

from core import clock
from core.database import transaction
from core.settings import get_settings
from gateways.interface import GatewayUnanswered
from gateways.registry import gateway
from models import GatewayCheck


async def check_gateways() -> None:
    """Ask the gateway of new payments, outside of any transaction, and keep what came of it."""
    name = get_settings().gateway
    started = time.perf_counter()
    error: str | None = None
    try:
        await gateway(name).ping()
    except GatewayUnanswered as unanswered:
        error = unanswered.message
    values = {
        "reachable": error is None,
        "latency_ms": round((time.perf_counter() - started) * 1000),
        "error": error,
        "checked_at": clock.now(),
    }
    async with transaction() as session:
        kept = insert(GatewayCheck).values(gateway=name, **values)
        await session.execute(kept.on_conflict_do_update(index_elements=[GatewayCheck.gateway], set_=values))
