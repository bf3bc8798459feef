"""What goes wrong in the meantime: processes are killed or stand still, Redis is emptied, connections are cut."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import psutil
import redis.asyncio

from core.embedded import EmbeddedServers

EVERY_SECONDS = (4.0, 15.0)
STANDS_STILL_SECONDS = 8.0


class Trouble:
    """Troubles of one house, each counted.

    Parameters:
        house: the process of `kontora up`.
    """

    def __init__(self, house: psutil.Process, servers: EmbeddedServers, seen: Counter[str]) -> None:
        self.house = house
        self.servers = servers
        self.seen = seen
        self.chosen = random.Random(1)

    async def go_on(self, until: asyncio.Event) -> None:
        """Make trouble again and again."""
        troubles: list[Callable[[], Awaitable[None]]] = [
            self.kill_worker, self.kill_api, self.kill_scheduler, self.kill_valkey, self.kill_postgres,
            self.empty_redis, self.cut_connections, self.still_worker,
        ]  # fmt: skip
        waiting: list[Callable[[], Awaitable[None]]] = []
        while not until.is_set():
            # Each once, in any order, before one comes again.
            waiting = waiting or self.chosen.sample(troubles, len(troubles))
            try:
                async with asyncio.timeout(self.chosen.uniform(*EVERY_SECONDS)):
                    await until.wait()
            except TimeoutError:
                trouble = waiting.pop()
                try:
                    await trouble()
                    self.seen[f"trouble {trouble.__name__}"] += 1
                except (OSError, asyncpg.PostgresError, redis.exceptions.RedisError, psutil.Error):
                    self.seen["trouble met trouble"] += 1

    async def kill_worker(self) -> None:
        """kill -9."""
        self._signal("work", signal.SIGKILL)

    async def kill_api(self) -> None:
        """kill -9."""
        self._signal("serve", signal.SIGKILL)

    async def kill_scheduler(self) -> None:
        """kill -9."""
        self._signal("schedule", signal.SIGKILL)

    async def kill_valkey(self) -> None:
        """kill -9."""
        self._signal("valkey-server", signal.SIGKILL)

    async def kill_postgres(self) -> None:
        """kill -9 of the postmaster: what was answered as done must be there after its recovery."""
        self._signal("postgres", signal.SIGKILL)

    async def still_worker(self) -> None:
        """A worker that stands still past nobody's lease wakes up again."""
        process = self._find("work")
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(STANDS_STILL_SECONDS)
        process.send_signal(signal.SIGCONT)

    async def empty_redis(self) -> None:
        """All that Redis knows is gone."""
        assert self.servers.valkey is not None
        client = redis.asyncio.from_url(self.servers.valkey.url)
        await client.flushall()
        await client.aclose()

    async def cut_connections(self) -> None:
        """Every session of the database ends."""
        assert self.servers.postgres is not None
        connection = await asyncpg.connect(self.servers.postgres.url, timeout=5)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        await connection.close()

    def _signal(self, name: str, number: int) -> None:
        self._find(name).send_signal(number)

    def _find(self, name: str) -> psutil.Process:
        """A process of the house: a server by its program, one of ours by the command after ``-m cli.main``.

        Servers write what they are into the place of their program's name.
        """
        for process in self.house.children(recursive=True):
            command = process.cmdline()
            if command and name in (Path(command[0].split()[0]).name, *command[4:5]):
                return process
        raise psutil.NoSuchProcess(0, name)
