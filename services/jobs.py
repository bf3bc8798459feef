"""What a person does with waiting work: run a job before its time, try a message before its back-off ends (MON-3)."""

from __future__ import annotations

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict, NotFound
from core.principal import Principal
from domain import fields
from domain.effects import DUE_AT, DeadLetterStatus, JobOutcome, OutboxStatus
from models import DeadLetter, OutboxMessage, ScheduledJob, ScheduledJobRun
from models.security import OUTBOX_CHANNEL
from policies.scopes import require
from services import audit, dead_letters
from services.loading import load
from services.outbox import enqueue

WRITE = "job:write"


async def run_job(session: AsyncSession, actor: Principal, *, name: str) -> ScheduledJobRun:
    """Fire a scheduled job now; its next due time stays.

    Raises:
        Forbidden: the actor lacks ``job:write``.
        NotFound: there is no job of this name.
        Conflict: its last firing still waits or runs.
    """
    require(actor, WRITE, "ScheduledJob")
    job = await session.get(ScheduledJob, name, with_for_update=True)
    if job is None:
        raise NotFound.of("ScheduledJob", field=fields.path("name"))
    waiting = select(OutboxMessage.id).where(OutboxMessage.kind == name, OutboxMessage.status == OutboxStatus.PENDING)
    if await session.scalar(waiting.limit(1)) is not None:
        raise Conflict("its last firing still waits or runs", code="JOB_WAITING", field=fields.path("name"))
    now = clock.now()
    message_id = await enqueue(session, name, {DUE_AT: now.isoformat()})
    run = ScheduledJobRun(job=name, due_at=now, outbox_message_id=message_id, asked_by_user_id=actor.user_id)
    session.add(run)
    await audit.record(session, actor, "scheduled_job.run", run, before=None, after={"job": name})
    return run


async def retry_run(session: AsyncSession, actor: Principal, *, run_id: int) -> ScheduledJobRun:
    """Try a failed run again, with all of its attempts.

    Raises:
        Forbidden: the actor lacks ``job:write``.
        NotFound: there is no such run.
        Conflict: it has not failed, or a person has let it go.
    """
    require(actor, WRITE, "ScheduledJobRun")
    run = await load(session, actor, ScheduledJobRun, run_id, lock=True)
    if run.outcome != JobOutcome.FAILED:
        raise Conflict(f"the run is {run.outcome}", code="RUN_NOT_FAILED", field=fields.path("id"))
    letter = select(DeadLetter.id).where(
        DeadLetter.outbox_message_id == run.outbox_message_id, DeadLetter.status == DeadLetterStatus.OPEN
    )
    letter_id = await session.scalar(letter)
    if letter_id is None:
        raise Conflict("its dead letter was discarded; run the job again", code="RUN_LET_GO", field=fields.path("id"))
    await dead_letters.replay(session, actor, dead_letter_id=letter_id)
    await session.refresh(run)
    return run


async def retry_message(session: AsyncSession, actor: Principal, *, message_id: int) -> OutboxMessage:
    """Make a waiting message due now; the attempts it has had still count.

    Raises:
        Forbidden: the actor lacks ``job:write``.
        NotFound: there is no such message.
        Conflict: it is done, failed for good (replay its dead letter), or in a worker's hands.
    """
    require(actor, WRITE, "OutboxMessage")
    message = await load(session, actor, OutboxMessage, message_id, lock=True)
    if message.status != OutboxStatus.PENDING:
        raise Conflict(f"the message is {message.status}", field=fields.path("id"))
    in_hand = await session.scalar(
        select(OutboxMessage.locked_until > func.now()).where(OutboxMessage.id == message_id)
    )
    if in_hand:
        raise Conflict("a worker has it in hand", code="MESSAGE_RUNNING", field=fields.path("id"))
    before = {"available_at": message.available_at}
    message.available_at = func.now()
    message.sent_at = None
    await session.flush()
    await session.refresh(message)
    await session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": OUTBOX_CHANNEL})
    await audit.record(
        session, actor, "outbox_message.retry", message, before=before, after={"available_at": message.available_at}
    )
    return message
