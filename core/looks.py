"""What a request says and does of looking at partners' rows: the grant it names, the rows it has loaded (ACC-5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from core.ids import decode_id
from core.request import current_request

_looked: ContextVar[set[int] | None] = ContextVar("kontora_looked", default=None)


def named_grant() -> int | None:
    """The access grant that the request's header names, if there is one.

    Raises:
        InvalidId: it is not the id of an access grant.
    """
    told = current_request().access_grant
    return None if told is None else decode_id(told, "AccessGrant")[1]


@contextmanager
def gathered() -> Iterator[set[int]]:
    """The partners whose rows are loaded within the block; filled as they are."""
    found: set[int] = set()
    before = _looked.set(found)
    try:
        yield found
    finally:
        _looked.reset(before)


def looked_at(*partner_ids: int | None) -> None:
    """Tell of rows that were read in another way than as objects."""
    found = _looked.get()
    if found is not None:
        found.update(key for key in partner_ids if key is not None)


def note_loaded(_session: Any, row: Any) -> None:
    """What a session calls for each object that it loads."""
    looked_at(row.__dict__.get("id" if row.__tablename__ == "partners" else "partner_id"))
