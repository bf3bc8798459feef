"""Search over partners and their people: whole values, beginnings, parts, and texts with mistakes (PAR-2).

One step after another, the next one only where those before have not filled the page, and the widest only where nothing
was found. Each is written for an index of its own (`services.partner_search_sql`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.database import WORD_LIKENESS, driver_connection, read_pool, transaction
from core.principal import Principal
from domain import fields
from domain.partners import PartnerStatus
from domain.search_text import PIECE_CHARS, fold, phone_digits, pieces, pieces_with_a_wrong_letter, trigrams, whole_of
from policies.scopes import partner_held_to, require
from services import partner_search_sql as sql
from services.partner_search_common import NOTHING, Common, Reader, common

FEWEST_CHARS = 3
LONGEST_QUERY = 100
MOST = 50
# What holds the query scores more than whatever is merely like it.
MOST_LIKE = 1
PERSON = "partner:pii"
# No text that is kept has this character, so it is after all that begin with the same.
_LAST = "\U0010ffff"


class Match(NamedTuple):
    """A partner that was found, and why.

    Parameters:
        by_person: whether only a person at the partner matched.
        score: the higher the better: 4 and more for a whole value, 3 for a beginning, 2 for the beginning of a
            word, 1 for a part, less for a likeness.
    """

    partner_id: int
    by_person: bool
    score: float


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
        asked = {
            "partner_id": held_to,
            "statuses": None if statuses is None else [status.value for status in statuses],
            "segment": segment,
            "manager": manager_id,
        }
        filters = {name: value for name, value in asked.items() if value is not None}
        found = await _found(_Search(reader, tuple(filters), {"first": first, **filters}), actor, typed)
    return sorted(found, key=lambda match: (-match.score, -match.partner_id))[:first]


@asynccontextmanager
async def _reading(actor: Principal) -> AsyncIterator[tuple[Reader, int | None]]:
    """What to read through, and the one partner that the actor is held to.

    Whoever reaches all rows needs no transaction around the statements.
    """
    if _reaches_all(actor):
        yield read_pool(tenant=False, primary=actor.kind == "staff", by_index=True), None
        return
    async with transaction(actor) as session:
        held_to = await partner_held_to(session, actor)
        yield await driver_connection(session), held_to


def _reaches_all(actor: Principal) -> bool:
    return not (actor.is_tenant or actor.needs_grant)


@dataclass(slots=True)
class _Search:
    """What all steps of one search share: what runs them, and parameters."""

    reader: Reader
    filters: tuple[str, ...]
    given: dict[str, Any]

    async def run(self, *groups: list[str]) -> list[Match]:
        """What the first of these groups of steps that finds anything finds, each partner once and as it fits best."""
        asked = [tuple(steps) for steps in groups if steps]
        if not asked:
            return []
        statement, names = sql.numbered(sql.in_turn(*asked, filters=self.filters))
        given = self.given
        return _best(await self.reader.fetch(statement, *[given[name] for name in names]))

    async def fill(self, found: list[Match], later: list[str]) -> list[Match]:
        """What was found, and, where that has not filled the page, what the later steps find besides."""
        if len(found) >= self.given["first"] or not later:
            return found
        return _best([*found, *await self.run(later)])


def _best(rows: Iterable[Iterable[Any]]) -> list[Match]:
    """Each partner once, and as it fits best."""
    best: dict[int, Match] = {}
    for key, by_person, score in rows:
        other = best.get(key)
        if other is not None:
            by_person, score = by_person and other.by_person, max(score, other.score)
        best[key] = Match(key, by_person, score)
    return list(best.values())


@dataclass(slots=True)
class _Side:
    """Cards or people, and the query as their texts have it.

    Parameters:
        right: the query with its words put right that are nearly common ones; None where there is none.
    """

    people: bool
    text: str
    known: Common
    right: str | None

    @property
    def of(self) -> str:
        """The end of the names of its parameters."""
        return "_person" if self.people else ""


async def _found(search: _Search, actor: Principal, typed: str) -> list[Match]:
    people, given = PERSON in actor.permissions, search.given
    whole = {kind: value for kind, value in whole_of(typed) if people or kind not in sql.OF_PEOPLE}
    if whole:
        given.update(whole)
        if found := await search.run([sql.whole(*whole)]):
            return found
    asked = fold(typed)
    given.update(typed=typed, typed_end=typed + _LAST)
    sides = []
    for of_people in (False, True) if people else (False,):
        known = await common(search.reader, people=of_people) if _reaches_all(actor) else NOTHING
        # People's phones are kept as digits alone.
        text = (phone_digits(typed) or asked) if of_people else asked
        sides.append(_Side(of_people, text, known, known.words.put_right(text)))
    holding = _holding(given, sides)
    if holding.later or not any(side.right for side in sides):
        if found := await search.fill(await search.run(holding.now), holding.later):
            return found
        holding.now.clear()
    # A word is nearly a common one: mostly it was meant to be that, and both are asked for at once.
    nearly, both = _nearly(given, sides)
    found = await search.run(holding.now, nearly.now)
    if any(match.score > MOST_LIKE for match in found):
        return found
    return await search.fill(found, nearly.later) or await search.run(both) or await _like(search, sides)


@dataclass(slots=True)
class _Steps:
    """Steps to take, and those to take later, only where these have not filled the page."""

    now: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)

    def add(self, steps: list[str]) -> None:
        """Take the first of these now, and the others, and all that are added after, later.

        A statement of fewer steps begins sooner.
        """
        if not self.later:
            self.now.append(steps[0])
            steps = steps[1:]
        self.later += steps


def _holding(given: dict[str, Any], sides: list[_Side]) -> _Steps:
    """What holds the query as it is."""
    steps = _Steps([sql.beginnings()])
    for side in sides:
        ways = _ask(given, side.text, side.of, side.known)
        steps.add([sql.parts(people=side.people, by=by) for by in ways])
    return steps


def _nearly(given: dict[str, Any], sides: list[_Side]) -> tuple[_Steps, list[str]]:
    """What holds all of the query but a letter, or holds it with words put right; and then both at once."""
    wrong, right, both = list[str](), _Steps(), list[str]()
    for side in sides:
        people, of, known = side.people, side.of, side.known
        if sets := _sets(side.text, known):
            given[f"sets{of}"] = sets
            wrong.append(sql.wrong_letter(people=people))
        if side.right is None:
            continue
        ways = _ask(given, side.right, f"{of}_right", known)
        right.now += [] if people else [sql.beginnings(right=True)]
        right.add([sql.parts(people=people, by=by, right=True) for by in ways])
        if sets := _sets(side.right, known):
            given[f"sets{of}_right"] = sets
            both.append(sql.wrong_letter(people=people, right=True))
    return _Steps([*wrong, *right.now], right.later), both


async def _like(search: _Search, sides: list[_Side]) -> list[Match]:
    """What is like the query: first like its words that are not common, for too much is like those that are."""
    rare, whole = [], []
    for side in sides:
        text = side.known.words.without(side.right or side.text)
        if len(text) >= FEWEST_CHARS:
            rare.append((side, text))
        if text != side.text:
            whole.append((side, side.text))
    return await _alike(search, rare) or await _alike(search, whole)


async def _alike(search: _Search, texts: list[tuple[_Side, str]]) -> list[Match]:
    steps = []
    for side, text in texts:
        asked = trigrams(text)
        # As many as the operator asks for; where too many rows have all of these, the index gives too many.
        common_ones = len(asked & side.known.trigrams) >= len(asked) * float(*WORD_LIKENESS.values())
        search.given[f"like{side.of}"] = text
        steps += [sql.likeness(people=side.people, newest=common_ones)] if asked else []
    return await search.run(steps)


def _ask(given: dict[str, Any], text: str, of: str, known: Common) -> list[str]:
    """Make the parameters, whose names end in ``of``, that look for a text.

    Gives what narrows down the rows that may hold it, one after another.
    """
    given[f"asked{of}"] = text
    given[f"asked_end{of}"] = text + _LAST
    if len(text) < PIECE_CHARS:
        given[f"escaped{of}"] = re.sub(r"([\\%_])", r"\\\1", text)
        return ["newest", "trigrams"]
    rare = pieces(text, known.pieces)
    given[f"pieces{of}"] = rare or pieces(text, frozenset())
    return ["pieces"] if rare else ["newest", "pieces"]


def _sets(text: str, known: Common) -> list[str]:
    return ["\n".join(asked) for asked in pieces_with_a_wrong_letter(text, known.pieces)]
