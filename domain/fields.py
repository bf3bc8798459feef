"""Checks of values that people type, each failure naming its input field."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from urllib.parse import urlsplit

from core.errors import UserError

LONGEST_LINE_CHARS = 200
LONGEST_EMAIL_CHARS = 254
LONGEST_ADDRESS_CHARS = 1_000
LARGEST_AMOUNT = Decimal("999999999999.99")
MINOR_PLACES = 2
COIN_PLACES = 3

# What has a meaning of its own in mail headers may not stand in an address: `a,b@c.d` would be two of them.
_ATOM = r"[^@\s.,;:<>()\[\]\\\"]+"
_EMAIL = re.compile(rf"{_ATOM}(\.{_ATOM})*@{_ATOM}(\.{_ATOM})+")
_PHONE = re.compile(r"\+?[0-9 ()\-]{5,25}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_CODE = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


class InvalidValue(UserError):
    """The value cannot be what the field stands for."""

    code = "INVALID_VALUE"


class InvalidAmount(UserError):
    """The amount is negative, too large, or finer than its smallest step."""

    code = "INVALID_AMOUNT"


def path(name: str) -> tuple[str, ...]:
    """The path of an input's field."""
    return ("input", name)


def line(value: str, name: str, *, most_chars: int = LONGEST_LINE_CHARS) -> str:
    """One line of text without spaces around it.

    Raises:
        InvalidValue: empty, longer than ``most_chars``, or with characters that cannot be printed.
    """
    trimmed = value.strip()
    if not trimmed:
        raise InvalidValue(f"{name} must not be empty", field=path(name))
    if len(trimmed) > most_chars:
        raise InvalidValue(f"{name} has {len(trimmed)} characters; at most {most_chars} are kept", field=path(name))
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in trimmed):
        raise InvalidValue(f"{name} has control characters", field=path(name))
    return trimmed


def optional_line(value: str | None, name: str, *, most_chars: int = LONGEST_LINE_CHARS) -> str | None:
    """Like :func:`line`, where nothing and only spaces mean that there is no value."""
    return None if value is None or not value.strip() else line(value, name, most_chars=most_chars)


def email(value: str | None, name: str) -> str | None:
    """An email address in lower case, or none.

    Raises:
        InvalidValue: not of the form ``name@host.domain``.
    """
    text = optional_line(value, name, most_chars=LONGEST_EMAIL_CHARS)
    if text is not None and not _EMAIL.fullmatch(text):
        raise InvalidValue(f"{name} is not an email address", field=path(name))
    return None if text is None else text.lower()


def web_address(value: str | None, name: str) -> str | None:
    """An http or https address, or none.

    Raises:
        InvalidValue: anything else, such as an address that runs a script.
    """
    text = optional_line(value, name, most_chars=LONGEST_ADDRESS_CHARS)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidValue(f"{name} must be an http or https address", field=path(name))
    return text


def phone(value: str | None, name: str) -> str | None:
    """A phone number as it was typed, or none.

    Raises:
        InvalidValue: other characters than digits, spaces, brackets, hyphens and a leading plus.
    """
    text = optional_line(value, name)
    if text is not None and not _PHONE.fullmatch(text):
        raise InvalidValue(f"{name} is not a phone number", field=path(name))
    return text


def code(value: str, name: str) -> str:
    """A short code of lower-case letters, digits and single hyphens or underscores.

    Raises:
        InvalidValue: anything else.
    """
    text = line(value, name, most_chars=64)
    if not _CODE.fullmatch(text):
        raise InvalidValue(f"{name} must be lower-case letters, digits and hyphens", field=path(name))
    return text


def currency(value: str, name: str) -> str:
    """An ISO 4217 code.

    Raises:
        InvalidValue: not three capital letters.
    """
    if not _CURRENCY.fullmatch(value):
        raise InvalidValue(f"{name} must be three capital letters, for example RUB", field=path(name))
    return value


def whole(value: int, name: str, *, least: int, most: int) -> int:
    """A whole number within bounds, both included.

    Raises:
        InvalidValue: out of the bounds.
    """
    if not least <= value <= most:
        raise InvalidValue(f"{name} must be from {least} to {most}; {value} was given", field=path(name))
    return value


def amount(value: Decimal, name: str, *, places: int = MINOR_PLACES) -> Decimal:
    """An amount that is not negative and has no more than ``places`` decimals.

    Raises:
        InvalidAmount: anything else.
    """
    if not value.is_finite() or not 0 <= value <= LARGEST_AMOUNT:
        raise InvalidAmount(f"{name} must be from 0 to {LARGEST_AMOUNT}", field=path(name))
    step = Decimal(1).scaleb(-places)
    if value != value.quantize(step):
        raise InvalidAmount(f"{name} is finer than the smallest step {step}", field=path(name))
    return value.quantize(step)
