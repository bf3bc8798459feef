"""What a person does with work that failed for good: try it again, or let it go."""

from __future__ import annotations

from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict
from core.principal import Principal
from domain.effects import DeadLetterStatus, JobOutcome, OutboxStatus
from models import DeadLetter, OutboxMessage, ScheduledJobRun
from models.security import OUTBOX_CHANNEL
from policies.scopes import require
from services import audit
from services.loading import load

WRITE = "dead_letter:write"


async def replay(session: AsyncSession, actor: Principal, *, dead_letter_id: int) -> DeadLetter:
    """Make the message due again with all of its attempts.

    Raises:
        Forbidden: the actor lacks ``dead_letter:write``.
        NotFound: there is no such dead letter.
        Conflict: it was replayed or discarded already.
    """
    letter = await _resolve(session, actor, dead_letter_id, DeadLetterStatus.REPLAYED)
    message = await session.get_one(OutboxMessage, letter.outbox_message_id, with_for_update=True)
    message.status = OutboxStatus.PENDING
    message.attempts = 0
    message.available_at = func.now()
    message.sent_at = message.locked_until = message.last_error = None
    again = update(ScheduledJobRun).where(ScheduledJobRun.outbox_message_id == message.id)
    await session.execute(again.values(outcome=JobOutcome.PENDING, started_at=None, finished_at=None, error=None))
    await session.flush()
    await session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": OUTBOX_CHANNEL})
    return letter


async def discard(session: AsyncSession, actor: Principal, *, dead_letter_id: int) -> DeadLetter:
    """Let the work go undone; the message and its error are kept.

    Raises:
        Forbidden: the actor lacks ``dead_letter:write``.
        NotFound: there is no such dead letter.
        Conflict: it was replayed or discarded already.
    """
    return await _resolve(session, actor, dead_letter_id, DeadLetterStatus.DISCARDED)


async def _resolve(
    session: AsyncSession, actor: Principal, dead_letter_id: int, status: DeadLetterStatus
) -> DeadLetter:
    require(actor, WRITE, "DeadLetter")
    letter = await load(session, actor, DeadLetter, dead_letter_id, lock=True)
    if letter.status != DeadLetterStatus.OPEN:
        raise Conflict(f"the dead letter is {letter.status} already", field=("input", "id"))
    letter.status = status
    letter.resolved_at = clock.now()
    letter.resolved_by_user_id = actor.user_id
    verb = "replay" if status == DeadLetterStatus.REPLAYED else "discard"
    await audit.record(
        session,
        actor,
        f"dead_letter.{verb}",
        letter,
        before={"status": DeadLetterStatus.OPEN},
        after={"status": status, "kind": letter.kind},
    )
    return letter
