"""Billing periods ``[start, end)`` that keep their anchor day over short months (SUB-4)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta


def anchor_day(start: datetime, timezone: ZoneInfo) -> int:
    """Day of month on which periods of a subscription begin, in the legal entity's time zone."""
    return start.astimezone(timezone).day


def period_end(start: datetime, months: int, anchor: int, timezone: ZoneInfo) -> datetime:
    """The end of a period of whole months: on the anchor day, or the month's last one, at the same local time.

    31 January → 28 February → 31 March: each end is found from the anchor, never from the shortened day. Negative
    months give the borders before.
    """
    if months == 0:
        raise ValueError("a period has at least one month")
    local = start.astimezone(timezone).replace(tzinfo=None)
    ended = local + relativedelta(months=months) + relativedelta(day=anchor)
    return ended.replace(tzinfo=timezone).astimezone(UTC)
