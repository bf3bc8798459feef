"""A table of effects, and worker processes that may be killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.workers import effect_handlers
from workers.broker import redis_broker

WAIT_SECONDS = 90
SCRIPT = Path(effect_handlers.__file__)


@pytest.fixture
async def effects(owner: asyncpg.Connection) -> asyncpg.Connection[asyncpg.Record]:
    """The owner's connection, with the table that the test handlers write."""
    await owner.execute(effect_handlers.TABLE)
    await owner.execute(effect_handlers.GRANT)
    return owner


@pytest.fixture
async def broker(redis_url: str) -> AsyncIterator[Any]:
    """The broker of this test's Redis."""
    redis_broker.cache_clear()
    made = redis_broker()
    yield made
    made.client.close()
    redis_broker.cache_clear()


@pytest.fixture
def start(database_url: str, redis_url: str) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts `worker` or `scheduler` processes with the test handlers; all are ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(role: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, str(SCRIPT), role])
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await condition():  # noqa: ASYNC110 - the condition lives in another process
            await asyncio.sleep(0.05)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """Waits until a condition holds, or fails the test."""
    return eventually
