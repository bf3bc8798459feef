"""How the system does, as one answer (MON-2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis.asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from core.metrics import RequestFigures, request_figures
from core.settings import get_settings
from domain.monitoring import ALIVE_SECONDS, LATE_SECONDS, HealthStatus, ProcessKind, overall

REDIS_TIMEOUT_SECONDS = 2

_QUEUES = text("""
    SELECT kind, count(*) FILTER (WHERE pending)::int AS pending,
        count(*) FILTER (WHERE pending AND available_at <= now())::int AS due,
        coalesce(max(extract(epoch FROM now() - available_at)) FILTER (WHERE pending AND available_at <= now()), 0)::int
            AS oldest_seconds,
        count(*) FILTER (WHERE NOT pending)::int AS dead_letters
    FROM (
        SELECT kind, available_at, true AS pending FROM outbox_messages WHERE status = 'PENDING'
        UNION ALL
        SELECT kind, created_at, false FROM dead_letters WHERE status = 'OPEN'
    ) AS waiting
    GROUP BY kind ORDER BY kind
""")
_PROCESSES = text("""
    SELECT name, kind, created_at, seen_at, ended_at,
        ended_at IS NULL AND seen_at > now() - make_interval(secs => :alive) AS alive
    FROM process_heartbeats ORDER BY kind, created_at DESC, id DESC LIMIT 500
""")
_GATEWAYS = text(
    "SELECT gateway, reachable, latency_ms, redacted(error), checked_at FROM gateway_checks ORDER BY gateway"
)


@dataclass(frozen=True)
class ServerHealth:
    """A server that we need."""

    reachable: bool
    latency_ms: float | None


@dataclass(frozen=True)
class QueueHealth:
    """Work of one kind that waits.

    Parameters:
        due: of the pending, those whose moment has come.
        oldest_seconds: how long the oldest due one has waited.
    """

    kind: str
    pending: int
    due: int
    oldest_seconds: int
    dead_letters: int


@dataclass(frozen=True)
class ProcessHealth:
    """One life of a process of ours.

    Parameters:
        ended_at: when it ended in order; a silent one without was killed.
    """

    name: str
    kind: str
    started_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    alive: bool


@dataclass(frozen=True)
class GatewayHealth:
    """A gateway as it last answered."""

    gateway: str
    reachable: bool
    latency_ms: int
    error: str | None
    checked_at: datetime


@dataclass(frozen=True)
class SystemHealth:
    """How the system does."""

    status: HealthStatus
    database: ServerHealth
    redis: ServerHealth
    queues: list[QueueHealth]
    processes: list[ProcessHealth]
    gateways: list[GatewayHealth]
    requests: RequestFigures


async def system_health(session: AsyncSession) -> SystemHealth:
    """Look at everything. The database answers by answering at all: without it, nobody can ask."""
    database, _ = await _timed(session.execute(text("SELECT 1")))
    queue = await _redis()
    queues = [QueueHealth(*row) for row in await session.execute(_QUEUES)]
    processes = [ProcessHealth(*row) for row in await session.execute(_PROCESSES, {"alive": ALIVE_SECONDS})]
    gateways = [GatewayHealth(*row) for row in await session.execute(_GATEWAYS)]
    alive = {process.kind for process in processes if process.alive}
    status = overall(
        database=True,
        redis=queue.reachable,
        missing=not alive.issuperset({ProcessKind.WORKER, ProcessKind.SCHEDULER}),
        late=any(queue.oldest_seconds > LATE_SECONDS for queue in queues),
        gateways=all(gateway.reachable for gateway in gateways),
    )
    return SystemHealth(status, ServerHealth(True, database), queue, queues, processes, gateways, request_figures())


async def _redis() -> ServerHealth:
    url = get_settings().redis_url
    if url is None:
        return ServerHealth(False, None)
    client = redis.asyncio.from_url(url)
    try:
        async with asyncio.timeout(REDIS_TIMEOUT_SECONDS):
            latency, _ = await _timed(client.ping())
        return ServerHealth(True, latency)
    except (OSError, TimeoutError, redis.RedisError):
        return ServerHealth(False, None)
    finally:
        await client.aclose()


async def _timed(work: Awaitable[Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    done = await work
    return round((time.perf_counter() - started) * 1000, 2), done
