"""Search over partners and their people: whole values, beginnings, parts, and texts with a wrong letter (PAR-2).

One step after another, the next one only where those before have not filled the page; the widest ones only where
nothing was found. Each step is one statement by an index that was made for it (`services.partner_search_sql`).
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
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
        filters = {
            "partner_id": held_to,
            "statuses": None if statuses is None else [status.value for status in statuses],
            "segment": segment,
            "manager": manager_id,
        }
        found = _Found(reader, filters, first)
        await _look(found, typed, people=PERSON in actor.permissions, everywhere=held_to is None)
    return sorted(found.matches.values(), key=lambda match: (-match.score, -match.partner_id))[:first]


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
class _Found:
    """What the steps have found so far.

    Parameters:
        reader: runs the statements.
        filters: parameters of all statements.
        first: how many are wanted.
    """

    reader: _Reader
    filters: dict[str, Any]
    first: int
    matches: dict[int, Match] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether no more are wanted."""
        return len(self.matches) >= self.first

    async def add(self, statement: str, **given: Any) -> None:
        """Take one more step."""
        text, names = sql.numbered(statement)
        known = {**self.filters, **given, "found": list(self.matches), "wanted": self.first - len(self.matches)}
        for row in await self.reader.fetch(text, *(known[name] for name in names)):
            match = Match(row["id"], row["by_person"], float(row["score"]))
            best = self.matches.setdefault(match.partner_id, match)
            if match.score > best.score:
                self.matches[match.partner_id] = match


async def _look(found: _Found, typed: str, *, people: bool, everywhere: bool) -> None:
    whole = {kind: value for kind, value in asdict(whole_of(typed)).items() if value is not None}
    kinds = [kind for kind in whole if people or kind not in sql.OF_PEOPLE]
    if kinds:
        await found.add(sql.whole(kinds), **whole)
        if found.matches:
            return
    asked = fold(typed)
    await found.add(sql.BEGINNINGS, asked=asked, asked_end=asked + _LAST, typed=typed, typed_end=typed + _LAST)
    # People's phones are kept as digits alone.
    sides = {False: asked, True: phone_digits(typed) or asked} if people else {False: asked}
    common = {side: await _common(found.reader, people=side) if everywhere else frozenset() for side in sides}
    for side, text in sides.items():
        if not found.full:
            await _parts(found, text, people=side, common=common[side])
    if not found.matches:
        for side in sides:
            sets = ["\n".join(asked) for asked in pieces_with_a_wrong_letter(asked, common[side])]
            await found.add(sql.wrong_letter(people=side), asked=asked, sets=sets)
    if not found.matches:
        for side in sides:
            await found.add(sql.likeness(people=side), asked=asked)


async def _parts(found: _Found, asked: str, *, people: bool, common: frozenset[str]) -> None:
    rare = pieces(asked, common)
    given = {"asked": asked, "escaped": re.sub(r"([\\%_])", r"\\\1", asked)}
    if not rare:
        await found.add(sql.parts(people=people, by="newest"), **given)
        if found.full:
            return
    by = "pieces" if len(asked) >= PIECE_CHARS else "trigrams"
    await found.add(sql.parts(people=people, by=by), **given, pieces=rare or pieces(asked, frozenset()))


_common_pieces: dict[bool, tuple[float, frozenset[str]]] = {}


async def _common(reader: _Reader, *, people: bool) -> frozenset[str]:
    """Pieces that many of the newest rows have: not worth asking the index for. Only the speed depends on them."""
    until, known = _common_pieces.get(people, (0.0, frozenset()))
    if time.monotonic() >= until:
        rows = await reader.fetch(sql.common(people=people))
        known = frozenset(row["piece"] for row in rows)
        _common_pieces[people] = (time.monotonic() + COMMON_LIVES_SECONDS, known)
    return known
