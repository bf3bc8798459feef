"""The servers that a command needs: those given by URL, else the embedded ones, started or attached to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from core.embedded import EmbeddedServers
from core.errors import KontoraError
from core.settings import get_settings

T = TypeVar("T")


class DatabaseRefuses(KontoraError):
    """The database server is there and does not let us in; the message is its own."""

    code = "DATABASE_REFUSES"


def embedded_servers(*, redis: bool) -> EmbeddedServers:
    """The embedded servers that no URL replaces.

    Parameters:
        redis: whether the command needs Redis at all.
    """
    settings = get_settings()
    return EmbeddedServers(
        settings.data_dir, postgres=settings.database_url is None, valkey=redis and settings.redis_url is None
    )


def point_settings_at(servers: EmbeddedServers) -> None:
    """Let this process and its children use these servers."""
    if servers.postgres is not None:
        os.environ["KONTORA_DATABASE_URL"] = servers.postgres.url
    if servers.valkey is not None:
        os.environ["KONTORA_REDIS_URL"] = servers.valkey.url
    get_settings.cache_clear()


@contextmanager
def servers_for_command(*, redis: bool = False) -> Iterator[None]:
    """Servers for the time of one command; SIGTERM leaves the block as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    servers = embedded_servers(redis=redis)
    if servers.postgres is None and servers.valkey is None:
        yield
        return
    try:
        servers.start()
        point_settings_at(servers)
        yield
    finally:
        servers.stop()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` in an event loop of its own and close its database connections.

    Raises:
        DatabaseRefuses: no such database or user, a wrong password, too many connections.
    """

    async def knock_work_and_dispose() -> T:
        from core import database

        try:
            await _knock()
            return await work
        finally:
            work.close()
            await database.dispose()

    return asyncio.run(knock_work_and_dispose())


async def _knock() -> None:
    import asyncpg

    from core.database import owner_connect

    try:
        connection = await owner_connect()
    except asyncpg.PostgresError as error:
        raise DatabaseRefuses(f"PostgreSQL refuses: {error}") from error
    await connection.close()
