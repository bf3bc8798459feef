"""What products tell of partners' activity: names of metrics, days, and how days become a series (MON-1)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from core.errors import UserError

LAST_LOGIN = "last_login"
LARGEST_VALUE = Decimal("999999999999999.999")
VALUE_STEP = Decimal("0.001")
# A day may have begun in the product's time zone and not yet in ours.
AHEAD = timedelta(days=1)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class MetricGrain(StrEnum):
    """The length of a point of a series."""

    DAY = "DAY"
    MONTH = "MONTH"


class MetricAggregate(StrEnum):
    """How the days of a longer point come together: LAST for what there is (clients), SUM for what is done."""

    LAST = "LAST"
    SUM = "SUM"
    MAX = "MAX"


class InvalidPoint(UserError):
    """A point that cannot be right."""

    code = "INVALID_POINT"


def check_name(name: str) -> str:
    """The name of a metric.

    Raises:
        InvalidPoint: other characters than lower-case letters, digits and underscores, or over 64 of them.
    """
    if not _NAME.fullmatch(name):
        raise InvalidPoint("a metric is named by lower-case letters, digits and underscores", field=("metric",))
    return name


def check_value(value: Decimal) -> Decimal:
    """A value that is kept exactly.

    Raises:
        InvalidPoint: negative, too large, or finer than a thousandth.
    """
    if not 0 <= value <= LARGEST_VALUE:
        raise InvalidPoint(f"a value is from 0 to {LARGEST_VALUE}", field=("value",))
    if value != value.quantize(VALUE_STEP):
        raise InvalidPoint(f"a value has no finer step than {VALUE_STEP}", field=("value",))
    return value


def check_day(text: str, today: date, kept_days: int) -> date:
    """The day of a value.

    Parameters:
        kept_days: how long values are kept; older ones would be gone at once.

    Raises:
        InvalidPoint: no day, in the future, or older than what is kept.
    """
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    if day is None:
        raise InvalidPoint("a day is written like 2026-12-31", field=("day",))
    if not today - timedelta(days=kept_days) < day <= today + AHEAD:
        raise InvalidPoint(f"a day is from {kept_days} days ago to tomorrow", field=("day",))
    return day
