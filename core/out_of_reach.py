"""How it shows that the database cannot be reached, or went away in the middle of a statement."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

# It refuses everybody for the moment, or has ended the session; the last is what the driver says of a statement on a
# connection whose end it has not heard of yet.
_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,
)
_CLOSED = "connection is closed"


class DatabaseOutOfReach(ConnectionError):
    """No connection to the database can be opened."""


def is_out_of_reach(error: BaseException) -> bool:
    """Whether a failure says nothing of the work, only that the database could not be reached for it.

    What was sent may have been done nevertheless, where the answer to a commit was lost.
    """
    if isinstance(error, DBAPIError):
        driver = getattr(error.orig, "__cause__", None)
        return error.connection_invalidated or (driver is not None and is_out_of_reach(driver))
    if isinstance(error, asyncpg.InterfaceError) and _CLOSED in str(error):
        return True
    return isinstance(error, (*_GONE, DatabaseOutOfReach, PoolTimeoutError))
