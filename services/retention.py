"""Deletes what has served its time, in small transactions that other work passes by."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.settings import get_settings

DONE_MESSAGES_KEPT = timedelta(days=30)
RUNS_KEPT = timedelta(days=90)
CHUNK = 5_000


async def expire_idempotency(session: AsyncSession) -> int:
    """Delete a chunk of stored results whose time is over (API-2); gives their number."""
    return await _delete(session, "idempotency_records", "id", "expires_at <= :before", before=clock.now())


async def expire_outbox(session: AsyncSession) -> int:
    """Delete a chunk of messages done long ago, and of old runs of scheduled jobs; gives their number."""
    messages = await _delete(
        session,
        "outbox_messages",
        "id",
        "status = 'DONE' AND done_at <= :before"
        " AND NOT EXISTS (SELECT FROM dead_letters WHERE outbox_message_id = outbox_messages.id)",
        before=clock.now() - DONE_MESSAGES_KEPT,
    )
    runs = await _delete(session, "scheduled_job_runs", "id", "due_at <= :before", before=clock.now() - RUNS_KEPT)
    return messages + runs


async def expire_metrics(session: AsyncSession) -> int:
    """Delete a chunk of partners' metrics older than the settings keep them (MON-1); gives their number."""
    before = clock.now().date() - timedelta(days=get_settings().metric_retention_days)
    return await _delete(
        session, "partner_metrics", "(partner_id, metric, day, install_id)", "day <= :before", before=before
    )


async def _delete(session: AsyncSession, table: str, key: str, condition: str, **values: object) -> int:
    columns = key.strip("()")
    statement = text(
        f"""
        WITH gone AS (
            DELETE FROM {table} WHERE {key} IN (
                SELECT {columns} FROM {table} WHERE {condition} LIMIT :chunk FOR UPDATE SKIP LOCKED)
            RETURNING 1)
        SELECT count(*) FROM gone
        """  # noqa: S608 - constants of this module
    )
    return int(await session.scalar(statement, {"chunk": CHUNK, **values}) or 0)
