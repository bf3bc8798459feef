"""Handlers of outbox messages and the one way to run a message: claim, do, mark done, or try again later."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any

from dramatiq import Actor, Broker
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from core import tracing
from core.database import transaction
from core.errors import KontoraError
from core.logging import get_logger
from core.out_of_reach import is_out_of_reach
from core.request import RequestInfo, enter_request, new_request_id
from domain.effects import DUE_AT, JobOutcome, retry_delay
from models import DeadLetter, Install
from models.security import OUTBOX_CHANNEL
from services.outbox import PermanentFailure, Postponed

DEFAULT_MAX_ATTEMPTS = 10
DEFAULT_LEASE = timedelta(seconds=60)
TIMEOUT_SHARE_OF_LEASE = 0.9
LONGEST_ERROR_CHARS = 500
OUT_OF_REACH_SECONDS = 1.0

log = get_logger("workers.outbox")


@dataclass(frozen=True)
class Message:
    """A claimed outbox message.

    Parameters:
        attempt: number of this attempt, from 1; it also tells this claim from a later one.
    """

    id: int
    kind: str
    payload: dict[str, Any]
    partner_id: int | None
    ordering_key: str | None
    request_id: str | None
    attempt: int
    traceparent: str | None = None


TransactionHandler = Callable[[AsyncSession, Message], Awaitable[None]]
StepwiseHandler = Callable[[Message], Awaitable[None]]
GivenUpHook = Callable[[AsyncSession, Message, str], Awaitable[None]]


@dataclass(frozen=True)
class Handler:
    """How messages of one kind are handled.

    Parameters:
        max_attempts: attempts before the message becomes a dead letter.
        lease: a claim older than this is void, so that a killed worker's message is taken over;
            the handler is stopped a little earlier.
        delays: waits between attempts; empty for the doubling back-off.
        run: does the work and marks the message done.
        given_up: runs in the transaction that makes the dead letter.
    """

    kind: str
    queue: str
    max_attempts: int
    lease: timedelta
    delays: Sequence[timedelta]
    run: StepwiseHandler
    given_up: GivenUpHook | None


class Outcome(Enum):
    """What became of one try to run a message; NOT_DUE covers done, locked, early and blocked ones."""

    DONE = auto()
    RETRY = auto()
    DEAD = auto()
    NOT_DUE = auto()
    LOST = auto()


class LostLease(KontoraError):
    """Another worker has claimed the message since; what this one did is rolled back."""

    code = "LOST_LEASE"


HANDLERS: dict[str, Handler] = {}


def outbox_handler(
    kind: str,
    *,
    max_attempts: int = DEFAULT_MAX_ATTEMPTS,
    queue: str = "default",
    lease: timedelta = DEFAULT_LEASE,
    delays: Sequence[timedelta] = (),
    given_up: GivenUpHook | None = None,
) -> Callable[[TransactionHandler], TransactionHandler]:
    """Register a handler whose database work and the mark "done" are one transaction: its effect happens once."""

    def register(function: TransactionHandler) -> TransactionHandler:
        async def run(message: Message) -> None:
            async with transaction() as session:
                await function(session, message)
                await _mark_done(session, message)

        _register(Handler(kind, queue, max_attempts, lease, delays, run, given_up))
        return function

    return register


def stepwise_handler(
    kind: str,
    *,
    max_attempts: int = DEFAULT_MAX_ATTEMPTS,
    queue: str = "network",
    lease: timedelta = DEFAULT_LEASE,
    delays: Sequence[timedelta] = (),
    given_up: GivenUpHook | None = None,
) -> Callable[[StepwiseHandler], StepwiseHandler]:
    """Register a handler with no transaction around it, for network calls and long batches; it may run again."""

    def register(function: StepwiseHandler) -> StepwiseHandler:
        async def run(message: Message) -> None:
            await function(message)
            async with transaction() as session:
                await _mark_done(session, message)

        _register(Handler(kind, queue, max_attempts, lease, delays, run, given_up))
        return function

    return register


def declare_actors(broker: Broker) -> None:
    """Make one thin actor a kind; each takes an outbox id and nothing else."""
    for handler in HANDLERS.values():
        if handler.kind not in broker.actors:
            names = {"actor_name": handler.kind, "queue_name": handler.queue}
            Actor[..., None](_actor, broker=broker, priority=0, options={}, **names)


async def process(message_id: int) -> Outcome:
    """Run one message if it is due; safe to call any number of times, from anywhere, at the same moment."""
    message = await _claim(message_id)
    if message is None:
        return Outcome.NOT_DUE
    info = RequestInfo(request_id=message.request_id or new_request_id())
    enter_request(info)
    attributes: tracing.Attributes = {
        "kontora.request_id": info.request_id,
        "messaging.message.id": str(message.id),
        "kontora.attempt": message.attempt,
    }
    with tracing.span(f"process {message.kind}", "CONSUMER", parent=message.traceparent, attributes=attributes) as made:
        outcome = await _run(HANDLERS[message.kind], message)
        if made is not None:
            made.set_attribute("kontora.outcome", outcome.name)
            if outcome in (Outcome.RETRY, Outcome.DEAD):
                tracing.fail(made, outcome.name)
    return outcome


async def _run(handler: Handler, message: Message) -> Outcome:
    try:
        if message.attempt > handler.max_attempts:
            raise PermanentFailure("the worker died in the last attempt")
        async with asyncio.timeout(handler.lease.total_seconds() * TIMEOUT_SHARE_OF_LEASE):
            await handler.run(message)
    except LostLease:
        log.warning("outbox message was taken over", id=message.id, kind=message.kind, attempt=message.attempt)
        return Outcome.LOST
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is a failed attempt, stored and retried
        return await _failed(handler, message, error)
    return Outcome.DONE


async def _actor(message_id: int) -> None:
    try:
        await process(message_id)
    except Exception as error:
        if not is_out_of_reach(error):
            raise
        # The relay sends it again. Meanwhile the rest of the queue need not meet the same.
        log.warning("the database is out of reach", id=message_id, error=type(error).__name__)
        await asyncio.sleep(OUT_OF_REACH_SECONDS)


def _register(handler: Handler) -> None:
    if handler.kind in HANDLERS:
        raise ValueError(f"{handler.kind} has a handler already")
    HANDLERS[handler.kind] = handler


# Attempts are counted when they begin: a message that kills its worker runs out of them like any other.
_CLAIM = text(
    """
    UPDATE outbox_messages AS message
    SET attempts = message.attempts + 1, locked_until = now() + lease.length, started_at = now()
    FROM unnest(CAST(:kinds AS text[]), CAST(:leases AS interval[])) AS lease (kind, length)
    WHERE message.id = (
        SELECT due.id FROM outbox_messages AS due
        WHERE due.id = :id AND due.status = 'PENDING' AND due.available_at <= now()
          AND (due.locked_until IS NULL OR due.locked_until <= now())
          AND (due.ordering_key IS NULL OR NOT EXISTS (
              SELECT FROM outbox_messages AS earlier
              WHERE earlier.ordering_key = due.ordering_key AND earlier.id < due.id AND earlier.status = 'PENDING'))
        FOR UPDATE SKIP LOCKED)
      AND message.kind = lease.kind
    RETURNING message.id, message.kind, message.payload, message.partner_id, message.ordering_key,
              message.request_id, message.attempts, message.traceparent
    """
)


async def _claim(message_id: int) -> Message | None:
    leases = {"kinds": list(HANDLERS), "leases": [handler.lease for handler in HANDLERS.values()]}
    async with transaction() as session:
        row = (await session.execute(_CLAIM, {"id": message_id, **leases})).one_or_none()
    return None if row is None else Message(*row)


# `attempts` is the fencing token: it has changed if somebody else has claimed the message since.
_MINE = "WHERE id = :id AND status = 'PENDING' AND attempts = :attempt RETURNING id, started_at, attempts, last_error"


# A scheduled job's message tells its run how it went.
_TELL_RUN = """
    , run AS (
        UPDATE scheduled_job_runs AS run
        SET outcome = :outcome, started_at = mine.started_at, finished_at = now(), attempts = mine.attempts,
            error = mine.last_error
        FROM mine WHERE run.outbox_message_id = mine.id)"""


async def _close(
    session: AsyncSession, message: Message, change: str, *, outcome: JobOutcome | None = None, **values: Any
) -> None:
    """Change the message if the claim still holds, and wake the relay where another message waited for this one.

    Parameters:
        outcome: what came of it, where that is final.

    Raises:
        LostLease: it does not hold.
    """
    tell_run = ""
    if outcome is not None and DUE_AT in message.payload:
        tell_run = _TELL_RUN
        values["outcome"] = outcome
    statement = text(
        f"WITH mine AS (UPDATE outbox_messages SET {change}, locked_until = NULL {_MINE}){tell_run} SELECT id FROM mine"  # noqa: S608 - constants
    )
    mine = await session.execute(statement, {"id": message.id, "attempt": message.attempt, **values})
    if mine.one_or_none() is None:
        raise LostLease(f"the claim of outbox message {message.id} is void")
    if message.ordering_key is not None:
        await session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": OUTBOX_CHANNEL})


async def _mark_done(session: AsyncSession, message: Message) -> None:
    await _close(session, message, "status = 'DONE', done_at = now(), last_error = NULL", outcome=JobOutcome.DONE)


async def _failed(handler: Handler, message: Message, error: Exception) -> Outcome:
    told = _told(error)
    if isinstance(error, Postponed):
        return await _postpone(message, error)
    dead = isinstance(error, PermanentFailure) or message.attempt >= handler.max_attempts
    # The text may hold what others said about people; it stays in the row, where reading it needs a permission.
    failure = error.code if isinstance(error, KontoraError) else type(error).__name__
    log.warning(
        "outbox message failed", id=message.id, kind=message.kind, attempt=message.attempt, dead=dead, error=failure
    )
    try:
        async with transaction() as session:
            if dead:
                await _bury(session, handler, message, told)
            else:
                delay = retry_delay(message.attempt, random.random(), handler.delays)  # noqa: S311 - jitter
                await _close(
                    session, message, "available_at = now() + :delay, last_error = :error", delay=delay, error=told
                )
    except LostLease:
        return Outcome.LOST
    return Outcome.DEAD if dead else Outcome.RETRY


async def _postpone(message: Message, postponed: Postponed) -> Outcome:
    """Put a message back as it was, for later."""
    again = "available_at = now() + :wait, attempts = attempts - 1, last_error = :error"
    try:
        async with transaction() as session:
            await _close(session, message, again, wait=postponed.wait, error=postponed.message)
    except LostLease:
        return Outcome.LOST
    return Outcome.RETRY


async def _bury(session: AsyncSession, handler: Handler, message: Message, error: str) -> None:
    await _close(session, message, "status = 'DEAD', last_error = :error", outcome=JobOutcome.FAILED, error=error)
    session.add(
        DeadLetter(
            outbox_message_id=message.id,
            partner_id=message.partner_id,
            install_id=await session.scalar(select(Install.id).where(Install.id == message.payload.get("installId"))),
            kind=message.kind,
            payload=message.payload,
            error=error,
            attempts=message.attempt,
        )
    )
    if handler.given_up is not None:
        await handler.given_up(session, message, error)


def _told(error: Exception) -> str:
    """What went wrong in one line; the values bound to a failed SQL statement stay out of it."""
    cause = getattr(error, "orig", None) or error
    first_line = next(iter(str(cause).splitlines()), "")
    return f"{type(cause).__name__}: {first_line}"[:LONGEST_ERROR_CHARS].rstrip(": ")
