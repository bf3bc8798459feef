"""Search over partners and their people: whole values, beginnings, parts, and texts with a wrong letter (PAR-2).

One step after another, the next one only where those before have not filled the page, and the widest only where nothing
was found. Each is written for an index of its own (`services.partner_search_sql`).
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import asyncpg

from core.database import driver_connection, read_pool, transaction
from core.principal import Principal
from domain import fields
from domain.partners import PartnerStatus
from domain.search_text import PIECE_CHARS, fold, phone_digits, pieces, pieces_with_a_wrong_letter, whole_of
from policies.scopes import partner_held_to, require
from services import partner_search_sql as sql

FEWEST_CHARS = 3
LONGEST_QUERY = 100
MOST = 50
PERSON = "partner:pii"
COMMON_LIVES_SECONDS = 3_600
# No text that is kept has this character, so it is after all that begin with the same.
_LAST = "\U0010ffff"


@dataclass(frozen=True)
class Match:
    """A partner that was found, and why.

    Parameters:
        by_person: whether only a person at the partner matched.
        score: the higher the better: 4 and more for a whole value, 3 for a beginning, 2 for the beginning of a
            word, 1 for a part, less for a likeness.
    """

    partner_id: int
    by_person: bool
    score: float


class _Reader(Protocol):
    """What runs one reading statement: a pool, or a connection in its transaction."""

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """All rows."""


async def search(
    actor: Principal,
    *,
    query: str,
    first: int,
    statuses: list[PartnerStatus] | None = None,
    segment: str | None = None,
    manager_id: int | None = None,
) -> list[Match]:
    """The partners that fit best, best first; people are looked through only by those who may see them.

    Raises:
        InvalidValue: the query is too short or too long, or ``first`` is out of its bounds.
    """
    require(actor, "partner:read", "Query.partnerSearch")
    fields.whole(first, "first", least=1, most=MOST)
    typed = fields.line(query, "query", most_chars=LONGEST_QUERY).lower()
    if len(typed) < FEWEST_CHARS:
        raise fields.InvalidValue(f"a search has at least {FEWEST_CHARS} characters", field=("query",))
    async with _reading(actor) as (reader, held_to):
        given = {
            "first": first,
            "partner_id": held_to,
            "statuses": None if statuses is None else [status.value for status in statuses],
            "segment": segment,
            "manager": manager_id,
        }
        found = await _found(_Search(reader, given), typed, people=PERSON in actor.permissions)
    return sorted(found, key=lambda match: (-match.score, -match.partner_id))[:first]


@asynccontextmanager
async def _reading(actor: Principal) -> AsyncIterator[tuple[_Reader, int | None]]:
    """What to read through, and the one partner that the actor is held to.

    Whoever reaches all rows needs no transaction around the statements.
    """
    if not (actor.is_tenant or actor.needs_grant):
        yield read_pool(tenant=False, primary=actor.kind == "staff", by_index=True), None
        return
    async with transaction(actor) as session:
        held_to = await partner_held_to(session, actor)
        yield await driver_connection(session), held_to


@dataclass
class _Search:
    """What all steps of one search share: what runs them, and parameters."""

    reader: _Reader
    given: dict[str, Any]

    async def run(self, *steps: str) -> list[Match]:
        """What these steps find, each partner once and as it fits best."""
        statement, names = sql.numbered(sql.in_turn(*steps))
        best: dict[int, Match] = {}
        for row in await self.reader.fetch(statement, *(self.given[name] for name in names)):
            match = Match(row["id"], row["by_person"], float(row["score"]))
            other = best.get(match.partner_id, match)
            by_person = match.by_person and other.by_person
            best[match.partner_id] = Match(match.partner_id, by_person, max(match.score, other.score))
        return list(best.values())


async def _found(search: _Search, typed: str, *, people: bool) -> list[Match]:
    given = search.given
    whole = {kind: value for kind, value in asdict(whole_of(typed)).items() if value is not None}
    kinds = [kind for kind in whole if people or kind not in sql.OF_PEOPLE]
    if kinds:
        given.update(whole)
        if found := await search.run(sql.whole(kinds)):
            return found
    asked = fold(typed)
    given.update(asked_end=asked + _LAST, typed=typed, typed_end=typed + _LAST)
    sides = (False, True) if people else (False,)
    parts, wrong = [sql.BEGINNINGS], []
    for side in sides:
        common = await _common(search.reader, people=side) if given["partner_id"] is None else frozenset[str]()
        # People's phones are kept as digits alone.
        text = (phone_digits(typed) or asked) if side else asked
        parts += [sql.parts(people=side, by=by) for by in _ways(text, common)]
        wrong += [sql.wrong_letter(people=side)]
        of = "_person" if side else ""
        given[f"asked{of}"] = text
        given[f"escaped{of}"] = re.sub(r"([\\%_])", r"\\\1", text)
        given[f"pieces{of}"] = pieces(text, common) or pieces(text, frozenset())
        given[f"sets{of}"] = ["\n".join(whole) for whole in pieces_with_a_wrong_letter(asked, common)]
    like = [sql.likeness(people=side) for side in sides]
    return await search.run(*parts) or await search.run(*wrong) or await search.run(*like)


def _ways(text: str, common: frozenset[str]) -> list[str]:
    """What narrows down the rows that may hold a text, one after another."""
    if len(text) < PIECE_CHARS:
        return ["newest", "trigrams"]
    return ["pieces"] if pieces(text, common) else ["newest", "pieces"]


_common_pieces: dict[bool, tuple[float, frozenset[str]]] = {}


async def _common(reader: _Reader, *, people: bool) -> frozenset[str]:
    """Pieces that many of the newest rows have: not worth asking the index for. Only the speed depends on them."""
    until, known = _common_pieces.get(people, (0.0, frozenset()))
    if time.monotonic() >= until:
        rows = await reader.fetch(sql.common(people=people))
        known = frozenset(row["piece"] for row in rows)
        _common_pieces[people] = (time.monotonic() + COMMON_LIVES_SECONDS, known)
    return known
