"""The Dramatiq broker: Redis is transport only, so it keeps nothing that PostgreSQL does not know."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from dramatiq import Broker, Worker
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO
from redis import Redis

from core import database
from core.errors import KontoraError
from core.settings import get_settings

HEARTBEAT_TIMEOUT_MS = 30_000
MAINTENANCE_CHANCE_PER_MILLION = 100_000
WORKER_TIMEOUT_MS = 100
SOCKET_TIMEOUT_SECONDS = 5


class RedisNotConfigured(KontoraError):
    """No Redis address is known; the embedded server sets it when `kontora up` starts it."""

    code = "REDIS_NOT_CONFIGURED"


class EventLoop(AsyncIO):
    """One event loop a worker process; its database connections are closed before it stops."""

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """Close the connections of the loop, then stop it."""
        thread = get_event_loop_thread()
        if thread is not None:
            asyncio.run_coroutine_threadsafe(database.dispose(), thread.loop).result(SOCKET_TIMEOUT_SECONDS)
        super().after_worker_shutdown(broker, worker)  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1)
def redis_broker() -> RedisBroker:
    """The broker of this process. Retries are the outbox's, so no retrying middleware is installed.

    Raises:
        RedisNotConfigured: the address is neither set nor started.
    """
    url = get_settings().redis_url
    if url is None:
        raise RedisNotConfigured("set KONTORA_REDIS_URL, or start with `kontora up`")
    client = Redis.from_url(url, socket_timeout=SOCKET_TIMEOUT_SECONDS, socket_connect_timeout=SOCKET_TIMEOUT_SECONDS)
    return RedisBroker(  # type: ignore[no-untyped-call]
        client=client,
        middleware=[EventLoop()],
        heartbeat_timeout=HEARTBEAT_TIMEOUT_MS,
        maintenance_chance=MAINTENANCE_CHANCE_PER_MILLION,
    )


def waiting(broker: RedisBroker, queue: str) -> int:
    """Messages of a queue that no worker has taken.

    Dramatiq's own count holds what workers have taken too, and what was lost on the way to a worker for as long as
    that worker lives: a queue that has lost one message would never look empty again.
    """
    length: int = broker.client.llen(f"{broker.namespace}:{queue}")
    return length
