"""Seals the audit trail: events of ended transactions become a segment of a keyed chain (ACC-6).

Writers know nothing of it. A segment takes the events of all transactions with numbers from the last segment's end
up to a horizon below which every transaction has ended: what commits late belongs to a later segment, and nothing
is missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core import crypto
from core.database import driver_connection
from core.errors import KontoraError
from domain.audit_chain import EVENT_COLUMNS, Link, event_digest, segment_hash
from models import AuditSegment
from models.audit_functions import TRANSACTION_HORIZON

KEY_PURPOSE = "audit"
CHAIN_LOCK = 7_263_400_003
SEGMENT_EVENTS = 10_000
BEGINNING = -(2**62)

# Texts that mean the same in every session and every version of the server.
_AS_TEXT = {
    "actor_roles": "array_to_json(actor_roles)::text",
    "created_at": "(extract(epoch FROM created_at) * 1000000)::bigint::text",
}
EVENTS_SQL = f"""
    SELECT id, transaction_number, ARRAY[{", ".join(_AS_TEXT.get(name, f"{name}::text") for name in EVENT_COLUMNS)}]
    FROM audit_events WHERE transaction_number >= $1 AND transaction_number < $2 ORDER BY id
"""  # noqa: S608 - constants only


class ChainOutOfStep(KontoraError):
    """The server's transactions have smaller numbers than the sealed ones: a dump was restored into another server."""

    code = "CHAIN_OUT_OF_STEP"


async def seal(session: AsyncSession, events: int = SEGMENT_EVENTS) -> AuditSegment | None:
    """Seal about so many events whose transactions have ended; None where there is nothing to do.

    Parameters:
        events: most events of a segment; a transaction that wrote more is sealed whole all the same.

    Raises:
        ChainOutOfStep: until `kontora migrate` has brought the numbers of transactions in step.
    """
    if not await session.scalar(select(func.pg_try_advisory_xact_lock(CHAIN_LOCK))):
        return None
    last = await last_segment(session)
    start = BEGINNING if last is None else last.to_transaction
    connection = await driver_connection(session)
    horizon: int = await connection.fetchval(f"SELECT {TRANSACTION_HORIZON}")
    if horizon < start:
        raise ChainOutOfStep("the audit trail comes from another database server; run `kontora migrate`")
    end = await connection.fetchval(
        """
        SELECT CASE WHEN min(number) FILTER (WHERE n > $3) > min(number) THEN min(number) FILTER (WHERE n > $3)
            ELSE max(number) + 1 END
        FROM (SELECT transaction_number AS number, row_number() OVER (ORDER BY transaction_number) AS n
            FROM audit_events WHERE transaction_number >= $1 AND transaction_number < $2
            ORDER BY transaction_number LIMIT $3 + 1) AS first
        """,
        start,
        horizon,
        events,
    )
    if end is None:
        return None
    found = [(row[0], row[2]) for row in await connection.fetch(EVENTS_SQL, start, end)]
    key_id = crypto.newest_key_id()
    return await append(
        session,
        last,
        from_transaction=start,
        to_transaction=end,
        events=len(found),
        event_ids=tuple(event_id for event_id, _ in found),
        event_digests=digests(key_id, (values for _, values in found)),
        key_id=key_id,
    )


async def last_segment(session: AsyncSession) -> AuditSegment | None:
    """The end of the chain."""
    return await session.scalar(select(AuditSegment).order_by(AuditSegment.number.desc()).limit(1))


async def append(
    session: AsyncSession, last: AuditSegment | None, *, key_id: str | None = None, **values: Any
) -> AuditSegment:
    """Add a segment behind ``last``; the caller holds the chain's lock."""
    link = Link(
        **{
            "number": 1 if last is None else last.number + 1,
            "expired_month": None,
            "key_id": key_id or crypto.newest_key_id(),
            "previous_hash": b"" if last is None else last.hash,
            **values,
        }
    )
    columns: Mapping[str, Any] = asdict(link)
    segment = AuditSegment(**{**columns, "event_ids": list(link.event_ids)}, hash=segment_hash(key(link.key_id), link))
    session.add(segment)
    await session.flush()
    return segment


def digests(key_id: str, events: Iterable[list[str | None]]) -> bytes:
    """The digests of events, one after another."""
    derived = key(key_id)
    return b"".join(event_digest(derived, values) for values in events)


def key(key_id: str) -> bytes:
    """The chain's key behind a configured encryption key.

    Raises:
        Undecryptable: no key with this id is configured.
    """
    return crypto.derived_key(key_id, KEY_PURPOSE)


def anchor(segment: AuditSegment) -> str:
    """What to keep outside of the database, so that a shortened chain shows: number and hash of a segment."""
    return f"{segment.number}:{segment.hash.hex()}"
