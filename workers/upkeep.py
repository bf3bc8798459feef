"""Actors of the scheduled housekeeping: what expires, and whether gateways are there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession

from core.logging import get_logger
from services import access_grants, mail, monitoring, retention
from workers.chunks import chunk_by_chunk
from workers.outbox import Message, stepwise_handler

JOB_ATTEMPTS = 3

log = get_logger("workers.upkeep")


@stepwise_handler("idempotency.expire", queue="default", max_attempts=JOB_ATTEMPTS)
async def expire_idempotency(message: Message) -> None:
    """Delete expired idempotency records, a transaction a chunk."""
    await _until_none(message, retention.expire_idempotency)


@stepwise_handler("outbox.expire", queue="default", max_attempts=JOB_ATTEMPTS)
async def expire_outbox(message: Message) -> None:
    """Delete messages and firings kept long enough, a transaction a chunk."""
    await _until_none(message, retention.expire_outbox)


@stepwise_handler("mails.forget", queue="default", max_attempts=JOB_ATTEMPTS)
async def forget_mails(message: Message) -> None:
    """Forget what old letters that could not be sent said, a transaction a chunk."""
    await _until_none(message, mail.forget_content)


@stepwise_handler("metrics.expire", queue="default", max_attempts=JOB_ATTEMPTS)
async def expire_metrics(message: Message) -> None:
    """Delete partners' metrics kept long enough, a transaction a chunk (MON-1)."""
    await _until_none(message, retention.expire_metrics)


@stepwise_handler("gateways.check", max_attempts=JOB_ATTEMPTS)
async def check_gateways(_message: Message) -> None:
    """Ask the gateways whether they are there (MON-2)."""
    await monitoring.check_gateways()


@stepwise_handler("access_grants.expire", queue="default", max_attempts=JOB_ATTEMPTS)
async def expire_access_grants(message: Message) -> None:
    """Say of access grants whose time is over that they have ended; they open nothing any more before (ACC-5)."""
    await _until_none(message, access_grants.expire)


async def _until_none(message: Message, delete: Callable[[AsyncSession], Awaitable[int]]) -> None:
    log.info("expired", job=message.kind, rows=await chunk_by_chunk(delete))
