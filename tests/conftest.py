"""Shared fixtures: real servers once a run, a clean database for each test that asks for one."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from core import clock, database
from core.embedded import EmbeddedServers
from core.settings import get_settings
from migrations.run import upgrade

TEMPLATE = "kontora_template"
# Little write-ahead log, so that a copy of the template costs an eighth.
FAST_AND_LOSABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "300",
}

# A database is a thousand files: copied in memory, it costs a tenth of a copy on a disk.
IN_MEMORY = Path("/dev/shm")
ROOM_BYTES = 3 * 2**30

# Files of few tests that take long: begun first, so that nobody is left alone with one of them at the end.
LONGEST_FIRST = (
    *("cli/test_up", "stories/test_client_examples", "access/test_tenant_walk", "cli/test_commands"),
    *("workers/test_processes", "amocrm/test_races", "billing/test_everything_at_once", "planner/test_differential"),
    *("stories/test_hostile_inputs", "billing/test_two_years", "billing/test_crashes_and_races", "planner/test_lists"),
    *("stories/test_killed_workers", "access/test_two_processes", "access/test_passwords", "core/test_embedded"),
    *("workers/test_monitoring", "workers/test_traces"),
)

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    places = {f"tests/{name}.py": place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    """PostgreSQL and Valkey in a folder of this run."""
    roomy = IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > ROOM_BYTES
    place = IN_MEMORY if roomy else None
    with tempfile.TemporaryDirectory(prefix="kontora-test-", dir=place, ignore_cleanup_errors=True) as folder:
        running = EmbeddedServers(Path(folder), settings=FAST_AND_LOSABLE)
        running.start()
        os.environ["KONTORA_DATA_DIR"] = folder
        os.environ["KONTORA_MODE"] = "sandbox"
        get_settings.cache_clear()
        yield running
        running.stop()


@pytest.fixture(scope="session")
async def template(servers: EmbeddedServers) -> str:
    """A migrated, empty database that the tests' databases are copied from."""
    assert servers.postgres is not None
    admin = await asyncpg.connect(servers.postgres.url)
    await admin.execute(f"CREATE DATABASE {TEMPLATE}")
    await admin.close()
    await upgrade(servers.postgres.url_of(TEMPLATE))
    return TEMPLATE


@pytest.fixture
async def database_url(servers: EmbeddedServers, template: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A clean, migrated database of this test; the settings and connections point at it."""
    assert servers.postgres is not None
    name = f"kontora_test_{next(_numbers)}"
    admin = await asyncpg.connect(servers.postgres.url)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    url = servers.postgres.url_of(name)
    monkeypatch.setenv("KONTORA_DATABASE_URL", url)
    get_settings.cache_clear()
    yield url
    await database.dispose()
    clock.reset()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()
    get_settings.cache_clear()


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test's database as the tables' owner, for arranging and asserting."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def redis_url(servers: EmbeddedServers, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """An emptied Valkey; the settings point at it."""
    assert servers.valkey is not None
    monkeypatch.setenv("KONTORA_REDIS_URL", servers.valkey.url)
    get_settings.cache_clear()
    client = redis.asyncio.from_url(servers.valkey.url)
    await client.flushall()
    yield servers.valkey.url
    await client.flushall()
    await client.aclose()
    get_settings.cache_clear()
