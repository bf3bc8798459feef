"""Work to do after a transaction: written in it, done at least once, in order where a key asks for it (design §6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Text, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core import tracing
from core.errors import KontoraError
from core.request import current_request
from models import OutboxMessage

ORDER_LOCK = 7_263_400


# What statements that write messages set by set bind, as :func:`origin` gives it.
ORIGIN = (bindparam("request_id", type_=Text()), bindparam("traceparent", type_=Text()))


class PermanentFailure(KontoraError):
    """Trying again cannot help; the message becomes a dead letter at once."""

    code = "PERMANENT_FAILURE"


class Postponed(KontoraError):
    """Nothing was tried; the message waits and keeps its attempts.

    Parameters:
        wait: how long.
    """

    code = "POSTPONED"

    def __init__(self, message: str, wait: timedelta) -> None:
        super().__init__(message)
        self.wait = wait


def origin() -> dict[str, str | None]:
    """Where messages that are written now come from: the request, and its place in the trace."""
    return {"request_id": current_request().request_id, "traceparent": tracing.traceparent()}


async def enqueue(
    session: AsyncSession,
    kind: str,
    payload: dict[str, Any],
    *,
    ordering_key: str | None = None,
    delay: timedelta | None = None,
    partner_id: int | None = None,
) -> int:
    """Write a message that a worker handles once the transaction has committed; gives its id.

    Parameters:
        kind: name of the handler, for example ``payment.open``.
        payload: ids and small values, never secrets or personal data.
        ordering_key: messages of one key run one after another, in the order of writing.
        delay: how long after now the message becomes due.
        partner_id: the partner whose row this is; required in a tenant's transaction.
    """
    if ordering_key is not None:
        await _hold_order(session, ordering_key)
    message = OutboxMessage(
        kind=kind,
        payload=payload,
        ordering_key=ordering_key,
        partner_id=partner_id,
        **origin(),
    )
    if delay is not None:
        message.available_at = func.now() + delay
    session.add(message)
    await session.flush()
    return message.id


async def enqueue_many(session: AsyncSession, kind: str, messages: Sequence[tuple[dict[str, Any], int | None]]) -> None:
    """Write many messages of a kind, at once; each is a payload and its partner, as for :func:`enqueue`."""
    here = origin()
    session.add_all(
        OutboxMessage(kind=kind, payload=payload, partner_id=partner_id, **here) for payload, partner_id in messages
    )
    await session.flush()


async def _hold_order(session: AsyncSession, ordering_key: str) -> None:
    """Let one writer of the key at a time take an id, so that ids of a key are committed in their own order."""
    await session.execute(select(func.pg_advisory_xact_lock(ORDER_LOCK, func.hashtext(ordering_key))))
