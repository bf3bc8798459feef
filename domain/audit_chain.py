"""The chain over the audit trail: digests of events, hashes of segments, and what does not fit them (ACC-6).

Both are keyed, so that somebody who may write to the database, and knows no key, can't make them anew.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

DIGEST_BYTES = 16
# Columns that a digest covers, in this order; every column of the table.
EVENT_COLUMNS = (
    *("id", "actor", "actor_user_id", "actor_roles", "action", "entity_type", "entity_id", "partner_id"),
    *("request_id", "ip", "before", "after", "transaction_number", "created_at"),
)
_ABSENT = b"\xff\xff\xff\xff"


@dataclass(frozen=True)
class Link:
    """What a segment says, without its hash.

    Parameters:
        event_ids: sealed events in ascending order; of a month let go, its first and last.
        event_digests: a digest for each id, one after another; empty for a month let go.
    """

    number: int
    from_transaction: int
    to_transaction: int
    events: int
    event_ids: tuple[int, ...]
    event_digests: bytes
    expired_month: date | None
    key_id: str
    previous_hash: bytes


@dataclass(frozen=True)
class Flaw:
    """An event that is not as it was sealed.

    Parameters:
        what: ``changed``, ``removed`` or ``inserted``.
    """

    event_id: int
    what: str


def event_digest(key: bytes, values: Iterable[str | None]) -> bytes:
    """The keyed digest of one event, given as the texts of :data:`EVENT_COLUMNS`."""
    return hmac.digest(key, _framed(values), "sha256")[:DIGEST_BYTES]


def segment_hash(key: bytes, link: Link) -> bytes:
    """The keyed hash of a segment, which holds the one before it."""
    head = (
        *(link.number, link.from_transaction, link.to_transaction, link.events, link.expired_month, link.key_id),
        *(link.previous_hash.hex(), link.event_digests.hex(), len(link.event_ids)),
    )
    ids = b"".join(event_id.to_bytes(8, "big") for event_id in link.event_ids)
    return hmac.digest(key, _framed(None if part is None else str(part) for part in head) + ids, "sha256")


def flaws(link: Link, found: Mapping[int, bytes]) -> Iterator[Flaw]:
    """How the events found in a segment's place differ from the sealed ones, in the order of their ids."""
    sealed = {
        event_id: link.event_digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]
        for index, event_id in enumerate(link.event_ids)
    }
    for event_id in sorted(sealed.keys() | found.keys()):
        if event_id not in found:
            yield Flaw(event_id, "removed")
        elif event_id not in sealed:
            yield Flaw(event_id, "inserted")
        elif not hmac.compare_digest(sealed[event_id], found[event_id]):
            yield Flaw(event_id, "changed")


def _framed(values: Iterable[str | None]) -> bytes:
    """Texts one after another, each behind its length, so that no two lists look alike."""
    parts = []
    for value in values:
        if value is None:
            parts.append(_ABSENT)
        else:
            raw = value.encode()
            parts += (len(raw).to_bytes(4, "big"), raw)
    return b"".join(parts)
