"""The only source of the current time, so that a year of billing can run in a second; and of the zone of our days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.settings import get_settings

_offset = timedelta(0)


def now() -> datetime:
    """The current moment, timezone-aware, in UTC."""
    return datetime.now(UTC) + _offset


def travel(to: datetime) -> None:
    """Move this process's clock to ``to`` (timezone-aware); it goes on ticking from there."""
    global _offset
    _offset = to - datetime.now(UTC)


def reset() -> None:
    """Return to the real time."""
    global _offset
    _offset = timedelta(0)


def zone() -> ZoneInfo:
    """The legal entity's time zone, in which days and months are counted."""
    return ZoneInfo(get_settings().legal_entity_timezone)
