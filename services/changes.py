"""What every verb that changes rows shares: versions, what changed, and unique columns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict
from models import Base


class Versioned(Protocol):
    """A row that two people may edit."""

    version: Any


def next_version(row: Versioned, known: int) -> None:
    """Count the version up, if it is still the one that the caller has read.

    Raises:
        Conflict: with code ``VERSION_CONFLICT``, somebody changed the row in between.
    """
    if row.version != known:
        raise Conflict(
            f"the row was changed since version {known} was read; it is at version {row.version}",
            code="VERSION_CONFLICT",
            field=("input", "version"),
        )
    row.version = known + 1


def apply(row: Base, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set the columns that differ; gives them as they were and as they are."""
    before = {name: getattr(row, name) for name, value in values.items() if getattr(row, name) != value}
    after = {name: values[name] for name in before}
    for name, value in after.items():
        setattr(row, name, value)
    return before, after


@asynccontextmanager
async def unique(session: AsyncSession, constraint: str, message: str, field: str) -> AsyncIterator[None]:
    """Flush what the block changes; a violation of ``constraint`` is the caller's failure.

    Raises:
        Conflict: with code ``TAKEN``, another row has the value.
    """
    try:
        yield
        await session.flush()
    except IntegrityError as error:
        if constraint not in str(error.orig):
            raise
        raise Conflict(message, code="TAKEN", field=("input", field)) from None
