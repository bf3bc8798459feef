"""Turns inputs into what services take: keys behind ids, and only the fields that were given."""

from __future__ import annotations

import dataclasses
from typing import Any

import strawberry

from core.errors import UserError
from core.ids import InvalidId, decode_id

NEVER_COLUMNS = frozenset({"id", "version", "idempotency_key", "dry_run"})


class NullRefused(UserError):
    """The field may be left out, but not be null."""

    code = "INVALID_VALUE"


def key_of(value: str, type_name: str, field: str) -> int:
    """The key behind a global id in an input.

    Raises:
        InvalidId: not an id of ``type_name``; names ``field``.
    """
    try:
        return decode_id(value, type_name)[1]
    except InvalidId as error:
        raise InvalidId(error.message, field=("input", field)) from None


def optional_key(value: str | None, type_name: str, field: str) -> int | None:
    """Like :func:`key_of`, where null stands for none."""
    return None if value is None else key_of(value, type_name, field)


def given(asked: Any, *, nullable: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The fields of an input that were given, under their Python names; ids and versions are left to the caller.

    Raises:
        NullRefused: a field beyond ``nullable`` is null.
    """
    values: dict[str, Any] = {}
    for item in dataclasses.fields(asked):
        value = getattr(asked, item.name)
        if item.name in NEVER_COLUMNS or value is strawberry.UNSET:
            continue
        if value is None and item.name not in nullable:
            name = camel(item.name)
            raise NullRefused(f"{name} may be left out, but not be null", field=("input", name))
        values[item.name] = value
    return values


def camel(name: str) -> str:
    """The GraphQL name of a Python name."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
