"""What many of the newest rows have, so that searching for it needs another way: remembered by a process (PAR-2).

Nobody's answer is decided by it: what is found is still read by the caller's own statement.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import asyncpg

from domain.search_words import FEWEST_LETTERS, CommonWords

LIVES_SECONDS = 3_600
# So many rows are looked at for pieces and trigrams, and for words.
ROWS, ROWS_OF_WORDS = 1_000, 5_000
MOST_WORDS = 2_000
# Reading more rows of one trigram from the index takes longer than people wait.
ROWS_OF_A_TRIGRAM = 20_000

_SQL = f"""
    (SELECT 'piece' AS kind, piece AS value
        FROM (SELECT search_text FROM {{table}} ORDER BY id DESC LIMIT {ROWS}) newest
        CROSS JOIN LATERAL (SELECT DISTINCT unnest(search_pieces(search_text)) AS piece) AS pieces
        GROUP BY piece HAVING count(*) > {ROWS} / 100)
    UNION ALL
    (SELECT 'trigram', trigram
        FROM (SELECT search_text FROM {{table}} ORDER BY id DESC LIMIT {ROWS}) newest
        CROSS JOIN LATERAL unnest(show_trgm(search_text)) AS trigram
        GROUP BY trigram HAVING count(*) * (SELECT reltuples FROM pg_class WHERE oid = '{{table}}'::regclass)
            > {ROWS_OF_A_TRIGRAM * ROWS}::float)
    UNION ALL
    (SELECT 'word', word
        FROM (SELECT search_text FROM {{table}} ORDER BY id DESC LIMIT {ROWS_OF_WORDS}) newest
        CROSS JOIN LATERAL (SELECT DISTINCT unnest(regexp_split_to_array(search_text, '\\W+')) AS word) AS words
        WHERE length(word) >= {FEWEST_LETTERS}
        GROUP BY word HAVING count(*) >= {ROWS_OF_WORDS} / 1000 ORDER BY count(*) DESC, word LIMIT {MOST_WORDS})
"""


class Reader(Protocol):
    """What runs one reading statement: a pool, or a connection in its transaction."""

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """All rows."""


@dataclass(frozen=True, slots=True)
class Common:
    """What many cards, or people, have.

    Parameters:
        pieces: those that one in a hundred has: not worth asking the index for.
        trigrams: those whose rows are too many to read.
        words: those that one in a thousand has.
    """

    pieces: frozenset[str] = frozenset()
    trigrams: frozenset[str] = frozenset()
    words: CommonWords = field(default_factory=CommonWords)


NOTHING = Common()
_remembered: dict[bool, tuple[float, Common]] = {}


async def common(reader: Reader, *, people: bool) -> Common:
    """What many of the newest cards have, or of the newest people; found out anew each hour.

    Parameters:
        reader: reaches the rows of all partners.
    """
    until, known = _remembered.get(people, (0.0, NOTHING))
    if time.monotonic() < until:
        return known
    values: dict[str, list[str]] = {"piece": [], "trigram": [], "word": []}
    for kind, value in await reader.fetch(_SQL.format(table="contacts" if people else "partners")):
        values[kind].append(value)
    known = Common(frozenset(values["piece"]), frozenset(values["trigram"]), CommonWords(values["word"]))
    remember(known, people=people, seconds=LIVES_SECONDS)
    return known


def remember(known: Common, *, people: bool, seconds: float) -> None:
    """Take this for what many have, for so long."""
    _remembered[people] = (time.monotonic() + seconds, known)


def forget() -> None:
    """Find out anew, next time."""
    _remembered.clear()
