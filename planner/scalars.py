"""Scalars whose JSON form PostgreSQL and Python must write alike (API-1)."""

from __future__ import annotations

import datetime
import decimal
import re
from typing import Any, NewType

import strawberry
from strawberry.schema.config import StrawberryConfig

BigInt = NewType("BigInt", int)
Decimal = NewType("Decimal", decimal.Decimal)
DateTime = NewType("DateTime", datetime.datetime)
JSON = NewType("JSON", object)

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})")
_DECIMAL = re.compile(r"-?\d{1,15}(\.\d{1,6})?")
MAX_BIGINT = 2**63 - 1


def write_datetime(value: datetime.datetime) -> str:
    """RFC 3339 in UTC with `Z`; microseconds only where there are some."""
    return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def _read_datetime(value: Any) -> datetime.datetime:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError(
            f"{str(value)[:40]!r} is not a moment in RFC 3339 with a time zone, such as 2026-01-31T12:00:00Z"
        )
    moment = datetime.datetime.fromisoformat(value)
    try:
        return moment.astimezone(datetime.UTC)
    except OverflowError:
        raise ValueError(f"{value!r} lies outside of the years 1 to 9999 in UTC") from None


def _read_decimal(value: Any) -> decimal.Decimal:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise ValueError(f'{str(value)[:40]!r} is not a decimal number written as a string, such as "99.50"')
    return decimal.Decimal(text)


def _read_bigint(value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,19}", str(value)) or abs(int(value)) > MAX_BIGINT:
        raise ValueError(f"{str(value)[:40]!r} is not a whole number of 64 bits")
    return int(value)


SCALARS: dict[object, Any] = {
    BigInt: strawberry.scalar(
        name="BigInt", description="A whole number of 64 bits, as a string.", serialize=str, parse_value=_read_bigint
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="An exact decimal number, as a string. Floating-point numbers are refused.",
        serialize=str,
        parse_value=_read_decimal,
    ),
    DateTime: strawberry.scalar(
        name="DateTime",
        description="A moment in RFC 3339; answers are in UTC.",
        serialize=write_datetime,
        parse_value=_read_datetime,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="A JSON value of no fixed shape.",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
}


def schema_config() -> StrawberryConfig:
    """The configuration that every schema of the planner shares."""
    return StrawberryConfig(auto_camel_case=True, scalar_map=SCALARS)
