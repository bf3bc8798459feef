"""How text is written for search: small Latin letters, so that Орион, ОРИОН and orion are one (PAR-2)."""

from __future__ import annotations

# The same as `search_fold` of the database.
_LATIN = str.maketrans("абвгдеёжзийклмнопрстуфхцчшщыэюя", "abvgdeejziyklmnoprstufhcqwwyeua", "ъь")


def fold(value: str) -> str:
    """The text in small letters, Cyrillic letter by letter in Latin ones."""
    return value.lower().translate(_LATIN)
