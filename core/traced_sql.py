"""SQL statements as spans: hooks on the driver and on SQLAlchemy, hung up only while tracing is on (MON-2).

The driver tells of statements that it runs itself; SQLAlchemy runs prepared ones past it and tells by its events.
"""

from __future__ import annotations

import time
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from core import tracing

_STARTED = "_kontora_started"


def watch_connection(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Make spans of the statements that the driver runs itself."""
    if tracing.is_on():
        connection.add_query_logger(_told)


def watch_engine(engine: AsyncEngine) -> None:
    """Make spans of the statements that SQLAlchemy runs."""
    if not tracing.is_on():
        return
    event.listen(engine.sync_engine, "before_cursor_execute", _before)
    event.listen(engine.sync_engine, "after_cursor_execute", _after)
    event.listen(engine.sync_engine, "handle_error", _failed)


def _told(record: Any) -> None:
    # The loop calls this in the context of the task that ran the statement.
    tracing.statement(record.query, record.elapsed, record.exception)


def _before(_connection: Any, _cursor: Any, _sql: str, _parameters: Any, context: Any, _many: bool) -> None:
    setattr(context, _STARTED, time.perf_counter())


def _after(_connection: Any, _cursor: Any, sql: str, _parameters: Any, context: Any, _many: bool) -> None:
    tracing.statement(sql, time.perf_counter() - getattr(context, _STARTED))


def _failed(failure: Any) -> None:
    started = getattr(failure.execution_context, _STARTED, None)
    if started is not None and failure.statement is not None:
        tracing.statement(failure.statement, time.perf_counter() - started, failure.original_exception)
