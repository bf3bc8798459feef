"""Relay global ids: opaque text over a type name and a bigint key (design: conventions)."""

from __future__ import annotations

import base64
import binascii

from core.errors import UserError

MAX_KEY = 2**63 - 1


class InvalidId(UserError):
    """The text is not an id of ours, or names another type."""

    code = "INVALID_ID"


def encode_id(type_name: str, key: int) -> str:
    """The global id of the object ``key`` of ``type_name``."""
    return base64.b64encode(f"{type_name}:{key}".encode()).decode()


def decode_id(value: str, expected: str | None = None) -> tuple[str, int]:
    """The type name and key behind a global id.

    Raises:
        InvalidId: the text is malformed, or names another type than ``expected``.
    """
    try:
        type_name, _, key = base64.b64decode(value, validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeError, ValueError):
        raise InvalidId(f"{value[:40]!r} is not an id") from None
    if not key.isascii() or not key.isdecimal() or len(key) > 19 or not 0 < int(key) <= MAX_KEY or key[0] == "0":
        raise InvalidId(f"{value[:40]!r} is not an id")
    if expected is not None and type_name != expected:
        raise InvalidId(f"{value[:40]!r} is not the id of a {expected}")
    return type_name, int(key)
