"""Keyset cursors: opaque text over the order's name, the order column's value and the key."""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from typing import Any

import orjson

from core.errors import UserError
from core.ids import MAX_KEY

MAX_CURSOR_CHARS = 2_000
# As PostgreSQL writes a moment; other forms that Python reads are not all read by PostgreSQL.
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{1,6})?[+-]\d{2}(:\d{2})?")

_TYPE_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,99}")


class InvalidCursor(UserError):
    """The text is not a cursor of this connection in this order."""

    code = "INVALID_CURSOR"


def encode_cursor(order: str, value: str | None, key: int) -> str:
    """The cursor of a row; ``value`` is the order column as PostgreSQL writes it, None in the order by key."""
    return base64.b64encode(orjson.dumps([order, value, key])).decode()


def encode_merged_cursor(moment_name: str, moment: str, type_name: str, key: int) -> str:
    """The cursor of a row among rows of several types; ``moment`` is as PostgreSQL writes it."""
    return base64.b64encode(orjson.dumps([moment_name.upper(), moment, type_name, key])).decode()


def decode_merged_cursor(cursor: str, moment_name: str) -> tuple[str, str, int]:
    """The moment, type and key behind a cursor among rows of several types.

    Raises:
        InvalidCursor: malformed, or of another connection.
    """
    try:
        if len(cursor) > MAX_CURSOR_CHARS:
            raise ValueError("too long")
        name, moment, type_name, key = orjson.loads(base64.b64decode(cursor, validate=True))
        valid = (
            name == moment_name.upper()
            and _valid(moment, "datetime")
            and isinstance(type_name, str)
            and bool(_TYPE_NAME.fullmatch(type_name))
            and type(key) is int
            and 0 < key <= MAX_KEY
        )
    except (ValueError, TypeError, binascii.Error):
        valid = False
    if not valid:
        raise InvalidCursor(f"{cursor[:40]!r} is not a cursor of this list")
    return moment, type_name, key


def decode_cursor(cursor: str, order: str, kind: str | None) -> tuple[str | None, int]:
    """The order column's value and the key behind a cursor.

    Parameters:
        kind: how the order column's value is written; None in the order by key.

    Raises:
        InvalidCursor: malformed, or made in another order.
    """
    try:
        if len(cursor) > MAX_CURSOR_CHARS:
            raise ValueError("too long")
        name, value, key = orjson.loads(base64.b64decode(cursor, validate=True))
        valid = name == order and type(key) is int and 0 < key <= MAX_KEY and _valid(value, kind)
    except (ValueError, TypeError, binascii.Error):
        valid = False
    if not valid:
        raise InvalidCursor(f"{cursor[:40]!r} is not a cursor of this list in the order {order}")
    return value, key


def _valid(value: Any, kind: str | None) -> bool:
    if kind is None:
        return value is None
    if not isinstance(value, str) or "\0" in value:
        return False
    if kind == "datetime":
        return bool(_MOMENT.fullmatch(value)) and datetime.datetime.fromisoformat(value).tzinfo is not None
    if kind in ("int", "bigint"):
        return bool(re.fullmatch(r"-?\d{1,18}", value))
    if kind == "decimal":
        return bool(re.fullmatch(r"-?\d{1,18}(\.\d{1,6})?", value))
    return kind in ("text", "enum")
