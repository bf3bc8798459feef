"""Connections lent for one reading statement at a time, with nothing between the caller and the driver.

asyncpg's own pool costs as much processor time as a small statement: a task, a shield and a proxy for each loan, there
to undo what a borrower may leave behind. A statement in autocommit leaves nothing behind, so here a connection is taken
from a list and put back. `docs/decisions/0007-read-pool.md` holds the measurement.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, TypeAlias

import asyncpg

from core.out_of_reach import DatabaseOutOfReach
from core.traced_sql import watch_connection

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def opened(dsn: str, **options: Any) -> Connection:
    """A new connection.

    Raises:
        DatabaseOutOfReach: nobody answers at the address.
        asyncpg.PostgresError: the server refuses.
    """
    try:
        connection: Connection = await asyncpg.connect(dsn, **options)
    except (OSError, TimeoutError) as error:
        raise DatabaseOutOfReach(f"PostgreSQL cannot be reached: {type(error).__name__}") from error
    return connection


class ReadPool:
    """Runs statements on at most ``size`` connections, which are opened when first needed.

    Parameters:
        dsn: address of the database.
        size: most connections at once; further statements wait in order of arrival.
        options: passed to `asyncpg.connect`.
    """

    def __init__(self, dsn: str, *, size: int, **options: Any) -> None:
        self.dsn = dsn
        self.size = size
        self.options = options
        self._open: set[Connection] = set()
        self._opening = 0
        self._idle: list[Connection] = []
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()

    async def fetch(self, sql: str, *parameters: Any) -> list[asyncpg.Record]:
        """All rows of a statement.

        Raises:
            asyncpg.PostgresError: what PostgreSQL answers; the connection stays in use if it can.
        """
        connection = await self._take()
        try:
            rows = await connection.fetch(sql, *parameters)
        except asyncio.CancelledError:
            # Its answer is still on the way, and must not become somebody else's.
            connection.terminate()
            raise
        finally:
            self._give_back(connection)
        return rows

    async def fetchrow(self, sql: str, *parameters: Any) -> asyncpg.Record | None:
        """The first row of a statement, if there is one."""
        rows = await self.fetch(sql, *parameters)
        return rows[0] if rows else None

    async def close(self) -> None:
        """Close every connection, also those at work."""
        for connection in list(self._open):
            await connection.close(timeout=5)
        self._open.clear()
        self._idle.clear()

    async def _take(self) -> Connection:
        # Last used first: its caches are warm.
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._open.discard(connection)
        while len(self._open) + self._opening >= self.size:
            turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                connection_or_none = await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._pass_on(turn.result())
                raise
            if connection_or_none is not None:
                return connection_or_none
        return await self._connect()

    async def _connect(self) -> Connection:
        self._opening += 1
        try:
            connection = await opened(self.dsn, **self.options)
        except BaseException:
            self._opening -= 1
            self._pass_on(None)
            raise
        self._opening -= 1
        watch_connection(connection)
        self._open.add(connection)
        return connection

    def _give_back(self, connection: Connection) -> None:
        if connection.is_closed():
            self._open.discard(connection)
            self._pass_on(None)
        else:
            self._pass_on(connection)

    def _pass_on(self, connection: Connection | None) -> None:
        """Give a connection, or the room for one, to whoever waits longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is not None:
            self._idle.append(connection)
