"""Health endpoints: whether the process lives, and whether it can serve (MON-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import asyncpg
import redis.asyncio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.database import read_pool
from core.logging import get_logger
from core.settings import get_settings

TIMEOUT_SECONDS = 2
log = get_logger("health")


async def live(_: Request) -> Response:
    """Whether the process answers."""
    return JSONResponse({"status": "ok"})


async def ready(_: Request) -> Response:
    """Whether the database answers; a missing Redis is told, and does not stop serving, for the outbox waits."""
    database, queue = await asyncio.gather(_answers("database", _database()), _answers("redis", _redis()))
    status = "ok" if database and queue else ("degraded" if database else "unavailable")
    checks = {"database": "ok" if database else "unavailable", "redis": "ok" if queue else "unavailable"}
    return JSONResponse({"status": status, "checks": checks}, status_code=200 if database else 503)


async def _answers(name: str, check: Awaitable[Any]) -> bool:
    try:
        await asyncio.wait_for(check, TIMEOUT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, redis.RedisError) as error:
        log.warning("health_check_failed", check=name, error=type(error).__name__)
        return False
    return True


async def _database() -> None:
    pool = read_pool(tenant=False, primary=True)
    await pool.fetch("SELECT 1")


async def _redis() -> None:
    url = get_settings().redis_url
    if url is None:
        raise ConnectionError("no Redis is configured")
    client = redis.asyncio.from_url(url)
    try:
        await client.ping()
    finally:
        await client.aclose()


health_routes = [Route("/health/live", live), Route("/health/ready", ready)]
