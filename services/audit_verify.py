"""Recomputes the audit trail's chain and names what was changed, removed, inserted or cut off (ACC-6)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from core import crypto
from core.database import driver_connection
from core.errors import UserError
from domain.audit_chain import Link, event_digest, flaws, segment_hash
from services.audit_chain import BEGINNING, EVENTS_SQL, key

BATCH_EVENTS = 20_000
MOST_REPORTED = 20
UNSEALED_LONGEST = timedelta(hours=6)
LEAST_MONTHS_AHEAD = 2

# The running total lets a batch end where it has enough events, without a look at the arrays.
_BATCH = """
    SELECT number, from_transaction, to_transaction, events, event_ids, event_digests, expired_month, key_id,
        previous_hash, hash
    FROM audit_segments WHERE number = ANY (
        SELECT number FROM (SELECT number, sum(events) OVER (ORDER BY number) - events AS before
            FROM (SELECT number, events FROM audit_segments WHERE number > $1 ORDER BY number LIMIT 1000) AS next
        ) AS counted WHERE before < $2)
    ORDER BY number
"""


class BadAnchor(UserError):
    """The text is no anchor."""

    code = "BAD_ANCHOR"


@dataclass
class Trail:
    """What the verification found.

    Parameters:
        violations: what does not hold, the earliest first.
        sealed: events of all segments, those that were let go included.
        unsealed: events behind the last segment, whose order and content nothing proves yet.
        anchor: number and hash of the last segment.
    """

    violations: list[str] = field(default_factory=list)
    segments: int = 0
    sealed: int = 0
    unsealed: int = 0
    anchor: str | None = None
    flawed: int = 0

    def tell(self, violation: str) -> None:
        """Report a violation; after many, they are only counted."""
        self.flawed += 1
        if self.flawed <= MOST_REPORTED:
            self.violations.append(violation)


async def verify_audit(session: AsyncSession, anchors: Sequence[str] = ()) -> Trail:
    """Recompute the whole chain over all events.

    Parameters:
        anchors: texts ``number:hash`` of segments, kept outside of the database, that must be part of the chain.

    Raises:
        BadAnchor: one of them has another form.
    """
    wanted = dict(_anchor(text) for text in anchors)
    # Months are not let go meanwhile; writers are not held up.
    await session.execute(text("LOCK TABLE audit_events IN ACCESS SHARE MODE"))
    connection = await driver_connection(session)
    trail = Trail()
    gone = await _expired(connection)
    end, previous = BEGINNING, b""
    missing = 0
    async for batch in _batches(connection):
        found = await _found(connection, batch)
        for link, hash_ in batch:
            if link.number != trail.segments + 1:
                trail.tell(f"segments {trail.segments + 1} to {link.number - 1} are missing")
            elif link.previous_hash != previous or link.from_transaction != end:
                trail.tell(f"segment {link.number} does not follow segment {trail.segments}")
            trail.segments, previous, end = link.number, hash_, link.to_transaction
            anchor = f"{link.number}:{hash_.hex()}"
            if wanted.pop(link.number, anchor) != anchor:
                trail.tell(f"segment {link.number} is not the one of its anchor")
            trail.anchor = anchor
            missing += _check(trail, link, hash_, found[link.number], gone)
            trail.sealed += 0 if link.expired_month else link.events
    if missing > sum(expired.events for expired in gone):
        trail.tell("more events are missing from the months that were let go than these held")
    for number in sorted(wanted):
        trail.tell(f"segment {number} is missing: the trail was cut off behind segment {trail.segments}")
    await _check_tail(connection, trail, end)
    if trail.flawed > len(trail.violations):
        trail.violations.append(f"and {trail.flawed - len(trail.violations)} more")
    return trail


def _check(trail: Trail, link: Link, hash_: bytes, found: Mapping[int, Any], gone: Sequence[Link]) -> int:
    """Report what is wrong with a segment and its events; gives how many are missing because their month is gone."""
    try:
        secret = key(link.key_id)
    except crypto.Undecryptable as error:
        trail.tell(f"segment {link.number}: {error.message}")
        return 0
    if segment_hash(secret, link) != hash_:
        trail.tell(f"segment {link.number} was changed")
    if link.expired_month is not None:
        return 0
    let_go = 0
    for flaw in flaws(link, {event_id: event_digest(secret, values) for event_id, values in found.items()}):
        if flaw.what == "removed" and any(month.event_ids[0] <= flaw.event_id <= month.event_ids[1] for month in gone):
            let_go += 1
        else:
            trail.tell(f"audit event {flaw.event_id} of segment {link.number} was {flaw.what}")
    return let_go


async def _batches(
    connection: asyncpg.Connection[asyncpg.Record],
) -> AsyncIterator[list[tuple[Link, bytes]]]:
    last = 0
    while rows := await connection.fetch(_BATCH, last, BATCH_EVENTS):
        yield [_link(row) for row in rows]
        last = rows[-1]["number"]


def _link(row: asyncpg.Record) -> tuple[Link, bytes]:
    values = {**row, "event_ids": tuple(row["event_ids"])}
    hash_ = values.pop("hash")
    return Link(**values), hash_


async def _found(
    connection: asyncpg.Connection[asyncpg.Record], batch: Sequence[tuple[Link, bytes]]
) -> dict[int, dict[int, list[str | None]]]:
    """The events that stand in the places of these segments, by number of the segment."""
    starts = [link.from_transaction for link, _ in batch]
    found: dict[int, dict[int, list[str | None]]] = {link.number: {} for link, _ in batch}
    for event_id, transaction, values in await connection.fetch(EVENTS_SQL, starts[0], batch[-1][0].to_transaction):
        link = batch[bisect_right(starts, transaction) - 1][0]
        # Between segments there is room only where one is missing, which is told already.
        if transaction < link.to_transaction:
            found[link.number][event_id] = values
    return found


async def _expired(connection: asyncpg.Connection[asyncpg.Record]) -> list[Link]:
    rows = await connection.fetch(
        """
        SELECT number, from_transaction, to_transaction, events, event_ids, event_digests, expired_month, key_id,
            previous_hash, hash
        FROM audit_segments WHERE expired_month IS NOT NULL ORDER BY number
        """
    )
    return [_link(row)[0] for row in rows]


async def _check_tail(connection: asyncpg.Connection[asyncpg.Record], trail: Trail, end: int) -> None:
    """What no segment proves yet must not grow old, and there must be months to write to."""
    row = await connection.fetchrow(
        "SELECT count(*) AS events, min(created_at) AS oldest, now() AS now FROM audit_events"
        " WHERE transaction_number >= $1",
        end,
    )
    assert row is not None
    trail.unsealed = row["events"]
    oldest: datetime | None = row["oldest"]
    if oldest is not None and row["now"] - oldest > UNSEALED_LONGEST:
        trail.tell(f"{trail.unsealed} audit events are not sealed, the oldest of {oldest.isoformat()}")
    ahead = await connection.fetchval(
        """
        SELECT count(*) FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'audit_events'::regclass
            AND relname > 'audit_events_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')
        """
    )
    if ahead < LEAST_MONTHS_AHEAD:
        trail.tell(f"only {ahead} coming months of the audit trail are made; after them no change could be written")


def _anchor(text: str) -> tuple[int, str]:
    number, _, hash_ = text.partition(":")
    if not number.isdecimal() or len(hash_) != 64:
        raise BadAnchor(f"{text[:80]!r} is not an anchor, which is `number:hash` as `kontora verify audit` prints it")
    return int(number), text
