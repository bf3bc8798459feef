"""The scheduler process: fires named jobs once per due time, and runs the outbox relay beside."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from croniter import croniter
from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock, database, tracing
from core.database import DATABASE_ERRORS
from core.logging import configure_logging, get_logger
from core.principal import SYSTEM
from core.request import RequestInfo, enter_request, new_request_id
from domain.effects import DUE_AT, JobOutcome, OutboxStatus
from domain.monitoring import ProcessKind
from models import OutboxMessage, ScheduledJob, ScheduledJobRun
from services.outbox import enqueue
from workers.broker import redis_broker
from workers.handlers import register_handlers
from workers.heartbeat import beating
from workers.relay import Relay

SCHEDULE_LOCK = 7_263_400_002
TICK_SECONDS = 1.0

# Name of the job and of the outbox message that it writes, and its times in UTC.
JOBS: Mapping[str, str] = MappingProxyType(
    {
        "access_grants.expire": "*/5 * * * *",
        "audit.months": "15 3 * * *",
        "audit.seal": "* * * * *",
        "audit.verify": "20 3 * * *",
        "billing.cancel_lapsed": "*/10 * * * *",
        "billing.verify": "40 2 * * *",
        "bulk_operations.expire": "25 * * * *",
        "closing_receipts.send": "*/5 * * * *",
        "gateways.check": "* * * * *",
        "idempotency.expire": "17 * * * *",
        "ledger.verify": "30 * * * *",
        "mails.forget": "25 3 * * *",
        "metrics.expire": "15 3 * * *",
        "oauth_tokens.refresh": "*/5 * * * *",
        "outbox.expire": "45 3 * * *",
        "outbox.verify": "*/5 * * * *",
        "partner_documents.sweep": "*/10 * * * *",
        "payments.reconcile": "0 2 * * *",
        "payments.repair_unknown": "* * * * *",
        "refunds.ask": "* * * * *",
        "renewals.charge": "*/5 * * * *",
        "renewals.issue": "10 * * * *",
        "subscriptions.lapse": "*/5 * * * *",
        "subscriptions.notify": "*/10 * * * *",
        "widget_token_uses.expire": "20 * * * *",
        "wallets.expire": "* * * * *",
        "wallets.sweep_top_ups": "*/10 * * * *",
    }
)

log = get_logger("workers.schedule")


async def sync_jobs(session: AsyncSession, jobs: Mapping[str, str] = JOBS) -> None:
    """Bring the table of jobs in step with ``jobs``: new times take effect, and what was switched off stays off."""
    for name, cron in jobs.items():
        upsert = insert(ScheduledJob).values(name=name, cron=cron, next_due_at=next_due(cron, clock.now()))
        await session.execute(
            upsert.on_conflict_do_update(
                index_elements=[ScheduledJob.name],
                set_={"cron": upsert.excluded.cron, "next_due_at": upsert.excluded.next_due_at},
                where=ScheduledJob.cron != upsert.excluded.cron,
            )
        )
    gone = select(ScheduledJob.name).where(ScheduledJob.name.not_in(list(jobs)))
    await session.execute(delete(ScheduledJobRun).where(ScheduledJobRun.job.in_(gone)))
    await session.execute(delete(ScheduledJob).where(ScheduledJob.name.not_in(list(jobs))))


async def fire_due(session: AsyncSession) -> list[str]:
    """Fire each due job once and give their names; what was missed while nobody ran is made up by one firing.

    The advisory lock lets one scheduler at a time in, and the ledger's key (job, due time) would refuse a second
    firing even without it. A job whose last message still waits gets no second one.
    """
    if not await session.scalar(select(func.pg_try_advisory_xact_lock(SCHEDULE_LOCK))):
        return []
    now = clock.now()
    due = select(ScheduledJob).where(ScheduledJob.enabled, ScheduledJob.next_due_at <= now).order_by(ScheduledJob.name)
    fired = []
    for job in await session.scalars(due.with_for_update()):
        record = insert(ScheduledJobRun).values(job=job.name, due_at=job.next_due_at).on_conflict_do_nothing()
        run_id = await session.scalar(record.returning(ScheduledJobRun.id))
        if run_id is not None:
            run = await session.get_one(ScheduledJobRun, run_id)
            if await _waiting(session, job.name):
                run.outcome, run.finished_at = JobOutcome.SKIPPED, now
            else:
                run.outbox_message_id = await enqueue(session, job.name, {DUE_AT: job.next_due_at.isoformat()})
                fired.append(job.name)
        job.next_due_at = next_due(job.cron, now)
    return fired


def next_due(cron: str, after: datetime) -> datetime:
    """The first time of the cron expression after a moment."""
    due: datetime = croniter(cron, after).get_next(datetime)
    return due


async def run(stopping: asyncio.Event) -> None:
    """Relay and fire until ``stopping`` is set."""
    register_handlers()
    relay = asyncio.create_task(Relay(redis_broker()).run(stopping))
    firing = asyncio.create_task(_fire(stopping))
    try:
        async with beating(ProcessKind.SCHEDULER):
            await asyncio.gather(relay, firing)
    finally:
        stopping.set()
        await asyncio.gather(relay, firing, return_exceptions=True)
        await database.dispose()


def main() -> None:
    """Schedule and relay until SIGTERM or Ctrl-C; any number of these may run."""
    tracing.start("kontora-scheduler")
    configure_logging()
    asyncio.run(_main())
    tracing.stop()


async def _main() -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    log.info("scheduler started")
    await run(stopping)
    log.info("scheduler stopped")


async def _fire(stopping: asyncio.Event) -> None:
    synced = False
    while not stopping.is_set():
        enter_request(RequestInfo(request_id=new_request_id()))
        try:
            async with database.transaction(SYSTEM) as session:
                if not synced:
                    await sync_jobs(session)
                fired = await fire_due(session)
            synced = True
            if fired:
                log.info("jobs fired", jobs=fired)
        except DATABASE_ERRORS as error:
            log.warning("the scheduler cannot reach PostgreSQL", error=type(error).__name__)
        try:
            async with asyncio.timeout(TICK_SECONDS):
                await stopping.wait()
        except TimeoutError:
            continue


async def _waiting(session: AsyncSession, kind: str) -> bool:
    waiting = exists().where(OutboxMessage.kind == kind, OutboxMessage.status == OutboxStatus.PENDING)
    return bool(await session.scalar(select(waiting)))
