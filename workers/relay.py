"""The relay: tells Dramatiq of due outbox messages right after commit, and again of whatever is not done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import redis.exceptions
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import text

from core import database, tracing
from core.database import DATABASE_ERRORS
from core.logging import get_logger
from core.notices import hear
from models.security import OUTBOX_CHANNEL
from workers.broker import waiting
from workers.outbox import HANDLERS, declare_actors

POLL_SECONDS = 1.0
RECONNECT_SECONDS = 1.0
BATCH = 500
RESEND_AFTER = timedelta(seconds=30)
RESEND_TO_BUSY_QUEUE_AFTER = timedelta(minutes=10)

TRANSPORT_ERRORS = (redis.exceptions.RedisError, OSError)

log = get_logger("workers.relay")


class Relay:
    """Sends due messages; several may run at once, and either server may be down, emptied or restarted.

    Parameters:
        broker: where the actors listen.
        resend_after: a message sent longer ago and not done is sent again if none waits in its queue.
        resend_to_busy_after: the same where some wait, since ours may be among them.
    """

    def __init__(
        self,
        broker: RedisBroker,
        *,
        resend_after: timedelta = RESEND_AFTER,
        resend_to_busy_after: timedelta = RESEND_TO_BUSY_QUEUE_AFTER,
    ) -> None:
        declare_actors(broker)
        self.broker = broker
        self.resend_after = resend_after
        self.resend_to_busy_after = resend_to_busy_after
        self._wake = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Relay until ``stopping`` is set."""
        # Polling goes on while the listener reconnects.
        listener = asyncio.create_task(
            hear(OUTBOX_CHANNEL, self._noticed, connected=self._wake.set, name="kontora-relay")
        )
        try:
            while not stopping.is_set():
                self._wake.clear()
                more = await self._relay_or_wait()
                if not more:
                    await _first_of(self._wake.wait(), stopping.wait(), timeout=POLL_SECONDS)
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def relay_once(self) -> int:
        """Send what is due, up to one batch; gives the number of messages taken.

        The choice is committed before the sending, so that a worker never meets a row that the relay still
        locks. Dying between the two is mended by the next sweep.
        """
        empty = await asyncio.to_thread(self._empty_queues)
        waits = [self.resend_after if h.queue in empty else self.resend_to_busy_after for h in HANDLERS.values()]
        async with database.transaction() as session:
            taken = await session.execute(_TAKE, {"kinds": list(HANDLERS), "waits": waits, "batch": BATCH})
            messages = [(row.id, row.kind, row.traceparent) for row in taken]
        unsent = await asyncio.to_thread(self._send, messages)
        if unsent:
            async with database.transaction() as session:
                await session.execute(_UNSEND, {"ids": unsent})
            raise redis.exceptions.ConnectionError(f"{len(unsent)} messages wait for Redis")
        return len(messages)

    async def _relay_or_wait(self) -> bool:
        try:
            return await self.relay_once() == BATCH
        except TRANSPORT_ERRORS as error:
            log.warning("the relay cannot reach Redis", error=str(error))
        except DATABASE_ERRORS as error:
            log.warning("the relay cannot reach PostgreSQL", error=type(error).__name__)
        await asyncio.sleep(RECONNECT_SECONDS)
        return False

    def _empty_queues(self) -> set[str]:
        queues = {handler.queue for handler in HANDLERS.values()}
        return {queue for queue in queues if waiting(self.broker, queue) == 0}

    def _send(self, messages: Iterable[tuple[int, str, str | None]]) -> list[int]:
        """Send in order; gives the ids that could not be sent."""
        left = list(messages)
        while left:
            message_id, kind, traceparent = left[0]
            try:
                with tracing.span(f"dispatch {kind}", "PRODUCER", parent=traceparent):
                    self.broker.get_actor(kind).send(message_id)
            except TRANSPORT_ERRORS:
                return [message_id for message_id, _, _ in left]
            left.pop(0)
        return []

    def _noticed(self, _text: str) -> None:
        self._wake.set()


# A message is taken when it was never sent, when a retry or an expired claim has made it due again since it was
# sent, or when it was sent so long ago that it must be lost. Blocked ones of an ordering key wait.
_TAKE = text(
    """
    UPDATE outbox_messages SET sent_at = now()
    WHERE id IN (
        SELECT due.id
        FROM outbox_messages AS due
        JOIN unnest(CAST(:kinds AS text[]), CAST(:waits AS interval[])) AS resend (kind, wait) USING (kind)
        WHERE due.status = 'PENDING' AND due.available_at <= now()
          AND (due.locked_until IS NULL OR due.locked_until <= now())
          AND (due.sent_at IS NULL OR due.sent_at < due.available_at OR due.sent_at < due.locked_until
               OR due.sent_at < now() - resend.wait)
          AND (due.ordering_key IS NULL OR NOT EXISTS (
              SELECT FROM outbox_messages AS earlier
              WHERE earlier.ordering_key = due.ordering_key AND earlier.id < due.id AND earlier.status = 'PENDING'))
        ORDER BY due.available_at, due.id
        LIMIT :batch
        FOR UPDATE OF due SKIP LOCKED)
    RETURNING id, kind, traceparent
    """
)

_UNSEND = text("UPDATE outbox_messages SET sent_at = NULL WHERE id = ANY(:ids) AND status = 'PENDING'")


async def _first_of(*waiting: Any, timeout: float) -> None:  # noqa: ASYNC109 - the time-out is the poll interval
    tasks = [asyncio.ensure_future(one) for one in waiting]
    try:
        await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
