"""PostgreSQL's notifications, heard for as long as the process lives, whatever happens to the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg

from core.database import APP_ROLE, DATABASE_ERRORS, database_url
from core.logging import get_logger

RECONNECT_SECONDS = 1.0

log = get_logger("notices")


async def hear(channel: str, heard: Callable[[str], None], *, connected: Callable[[], None], name: str) -> None:
    """Listen on a channel until cancelled.

    Parameters:
        heard: is given the text of each notification.
        connected: is called at the beginning and after each loss of the connection, for what was told meanwhile was
            missed.
        name: name of the connection at the server.
    """

    def notified(*notice: Any) -> None:
        heard(notice[-1])

    while True:
        try:
            connection = await asyncpg.connect(
                database_url(), server_settings={"role": APP_ROLE, "application_name": name}
            )
            try:
                closed = asyncio.Event()
                connection.add_termination_listener(lambda _connection, closed=closed: closed.set())
                await connection.add_listener(channel, notified)
                connected()
                await closed.wait()
            finally:
                connection.terminate()
        except DATABASE_ERRORS as error:
            log.warning("a listener lost PostgreSQL", channel=channel, error=type(error).__name__)
        await asyncio.sleep(RECONNECT_SECONDS)
