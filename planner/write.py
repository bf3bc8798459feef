"""How a value is written as JSON, by PostgreSQL (nested parts) and from plain rows (the root's own columns)."""

from __future__ import annotations

import base64
from typing import Any

import orjson

PG_TYPES = {
    "text": "text",
    "enum": "text",
    "int": "int",
    "bigint": "bigint",
    "bool": "boolean",
    "decimal": "numeric",
    "datetime": "timestamptz",
    "uuid": "uuid",
}

_OPEN, _CLOSE = "'\"' || ", " || '\"'"
_AS_JSON_TEXT = {
    "text": "to_json({0})::text",
    "enum": "'\"' || {0} || '\"'",
    "uuid": "'\"' || {0} || '\"'",
    "bigint": "'\"' || {0} || '\"'",
    "decimal": "'\"' || {0} || '\"'",
    "int": "{0}::text",
    "bool": "{0}::text",
    "json": "{0}::text",
    "list": "to_json({0}::text[])::text",
    # The same form as orjson's: microseconds only where there are some.
    "datetime": "'\"' || replace(to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), "
    "'.000000Z', 'Z') || '\"'",
}

_AS_ROW_VALUE = {
    "bigint": "{0}::text",
    "decimal": "{0}::text",
    "uuid": "{0}::text",
    "list": "{0}::text[]",
    "json": "{0}::text",
}


def json_text(expression: str, kind: str, *, nullable: bool) -> str:
    """SQL whose value is the JSON text of ``expression``; never NULL when told that it may be."""
    text = _AS_JSON_TEXT[kind].format(expression)
    return f"coalesce({text}, 'null')" if nullable else text


def row_value(expression: str, kind: str) -> str:
    """SQL that selects ``expression`` in the form that Python writes at once."""
    return _AS_ROW_VALUE.get(kind, "{0}").format(expression)


def id_text(type_name: str, expression: str) -> str:
    """SQL whose value is the JSON text of a global id."""
    return f"'\"' || encode(('{type_name}:' || {expression})::bytea, 'base64') || '\"'"


def literal(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def concatenated(parts: list[str]) -> str:
    """SQL that joins parts; neighbouring string literals become one, for each `||` costs a call for each row."""
    joined: list[str] = []
    for part in (atom for whole in parts for atom in _atoms(whole)):
        if joined and _is_literal(part) and _is_literal(joined[-1]):
            joined[-1] = joined[-1][:-1] + part[1:]
        else:
            joined.append(part)
    return " || ".join(joined)


def _atoms(part: str) -> list[str]:
    """A part, with the quotation marks that `json_text` puts around a value on their own."""
    if part.startswith(_OPEN) and part.endswith(_CLOSE):
        return ["'\"'", part[len(_OPEN) : -len(_CLOSE)], "'\"'"]
    return [part]


def _is_literal(part: str) -> bool:
    return part.startswith("'") and part.endswith("'") and "'" not in part[1:-1].replace("''", "")


def global_id(prefix: bytes, key: int) -> str:
    """The global id behind ``prefix`` (type name and colon) and a key."""
    return base64.b64encode(prefix + str(key).encode()).decode()


def fragment(text: str | None) -> Any:
    """JSON text that PostgreSQL wrote, to be spliced in as it is."""
    return None if text is None else orjson.Fragment(text)


def dumps(value: Any) -> bytes:
    """JSON bytes; moments in UTC with `Z`."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)
