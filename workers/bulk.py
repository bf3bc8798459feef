"""Actors of bulk operations: running them, matching imported payments, and deleting files (PAR-5)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services import bulk
from workers.chunks import chunk_by_chunk
from workers.outbox import Message, outbox_handler, stepwise_handler

ATTEMPTS = 3
LONGEST = timedelta(hours=1)


async def _given_up(session: AsyncSession, message: Message, _error: str) -> None:
    await bulk.give_up(session, message.payload["bulk_operation_id"])


@stepwise_handler(bulk.RUN, max_attempts=ATTEMPTS, lease=LONGEST, queue="bulk", given_up=_given_up)
async def run(message: Message) -> None:
    """Run an import or an export."""
    await bulk.run(message.payload["bulk_operation_id"])


@stepwise_handler(bulk.MATCH, max_attempts=10, lease=timedelta(minutes=10), queue="default")
async def match_payments(message: Message) -> None:
    """Match the sums of an import of payments, a transaction a chunk (INV-5)."""
    await chunk_by_chunk(lambda session: bulk.match_chunk(session, message.payload["bulkOperationId"]))


@outbox_handler("bulk_operations.expire", max_attempts=ATTEMPTS)
async def expire(session: AsyncSession, _message: Message) -> None:
    """Delete files that were kept long enough."""
    await bulk.expire_files(session)
