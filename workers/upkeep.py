"""Actors of the scheduled housekeeping: expiry and invariants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession

from core.database import transaction
from core.logging import get_logger
from ledger.verify import verify
from services import access_grants, invariants, mail, monitoring, retention
from services.billing.verify import verify_billing
from services.outbox import PermanentFailure
from workers.outbox import Message, outbox_handler, stepwise_handler

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


@outbox_handler("outbox.verify", max_attempts=JOB_ATTEMPTS)
async def verify_outbox(session: AsyncSession, message: Message) -> None:
    """Report messages that nobody takes, as a dead letter of this job."""
    report_violations(message, await invariants.stuck_outbox(session))


@outbox_handler("ledger.verify", max_attempts=JOB_ATTEMPTS)
async def verify_ledger(session: AsyncSession, message: Message) -> None:
    """Prove the coin journal; violations become a dead letter of this job (WAL-2)."""
    report_violations(message, await verify(session))


@outbox_handler("billing.verify", max_attempts=JOB_ATTEMPTS)
async def check_billing(session: AsyncSession, message: Message) -> None:
    """Prove what must hold of billing; violations become a dead letter of this job (INV-1)."""
    report_violations(message, await verify_billing(session))


def report_violations(message: Message, violations: list[str]) -> None:
    """Let a job that found violations end as a dead letter that names them.

    Raises:
        PermanentFailure: there are some.
    """
    if violations:
        log.error("an invariant is violated", job=message.kind, violations=violations)
        raise PermanentFailure("; ".join(violations))


async def _until_none(message: Message, delete: Callable[[AsyncSession], Awaitable[int]]) -> None:
    total = 0
    while True:
        async with transaction() as session:
            deleted = await delete(session)
        total += deleted
        if not deleted:
            break
    log.info("expired", job=message.kind, rows=total)
