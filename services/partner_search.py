"""Search over partners and their people: parts of words first, then words with typing errors (PAR-2)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import asyncpg

from core.database import driver_connection, read_pool, transaction
from core.principal import Principal
from domain import fields
from domain.partners import PartnerStatus
from domain.search_text import fold
from policies.scopes import partner_held_to, require

FEWEST_CHARS = 3
LONGEST_QUERY = 100
MOST = 50
# How many matches are ranked: a part of a word that half of all partners have need not be ranked among all of them.
RANKED = 200
PERSON = "partner:pii"

# Parameters are numbered where a statement is put together.
_SCOPE = "(CAST(:partner_id AS bigint) IS NULL OR p.id = :partner_id)"
_FILTERS = """
    AND (CAST(:statuses AS text[]) IS NULL OR p.status = ANY (:statuses))
    AND (CAST(:segment AS text) IS NULL OR p.segment = :segment)
    AND (CAST(:manager AS bigint) IS NULL OR p.account_manager_id = :manager)
"""
_BY_CARD = f"""
    SELECT p.id, false AS by_person, lower(p.name) = CAST(:typed AS text) OR p.inn = :typed AS whole,
        p.search_text AS found FROM partners p
    WHERE p.search_text {{matches}} AND {_SCOPE} {_FILTERS} LIMIT {RANKED}
"""
_BY_PERSON = f"""
    SELECT p.id, true, c.email = :typed, c.search_text FROM contacts c JOIN partners p ON p.id = c.partner_id
    WHERE c.search_text {{person_matches}} AND {_SCOPE} {_FILTERS} LIMIT {RANKED}
"""
# Whole numbers and addresses are few and have indexes of their own.
_WHOLE_INN = (
    f"SELECT p.id, false AS by_person, 5.0 AS score FROM partners p WHERE p.inn = :typed AND {_SCOPE} {_FILTERS}"
)
_WHOLE_EMAIL = f"""
    SELECT DISTINCT p.id, true AS by_person, 5.0 AS score FROM contacts c JOIN partners p ON p.id = c.partner_id
    WHERE c.email = :typed AND {_SCOPE} {_FILTERS}
"""
_WHOLE = " ORDER BY id DESC LIMIT CAST(:first AS bigint)"
_INN = re.compile(r"[0-9]{10}|[0-9]{12}")
# Of two parts the one that fills more of its text fits better; likeness, which is slow, ranks only what has no part.
_PART = """
    CASE WHEN whole THEN 4
         WHEN starts_with(found, CAST(:asked AS text)) THEN 3
         WHEN strpos(found, ' ' || :asked) > 0 THEN 2
         ELSE 1 END + length(CAST(:asked AS text))::float / greatest(length(found), 1)
"""
_LIKE = "word_similarity(CAST(:asked AS text), found)"
_RANK = """
    SELECT id, bool_and(by_person) AS by_person, max({score}) AS score
    FROM ({sources}) AS candidates GROUP BY id ORDER BY score DESC, id DESC LIMIT CAST(:first AS bigint)
"""


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
    asked = fields.line(query, "query", most_chars=LONGEST_QUERY).lower()
    if len(asked) < FEWEST_CHARS:
        raise fields.InvalidValue(f"a search has at least {FEWEST_CHARS} characters", field=("query",))
    people = PERSON in actor.permissions
    async with _reading(actor) as (reader, held_to):
        given: dict[str, Any] = {
            "typed": asked,
            "asked": fold(asked),
            "first": first,
            "partner_id": held_to,
            "statuses": None if statuses is None else [status.value for status in statuses],
            "segment": segment,
            "manager": manager_id,
            "escaped": _escaped(fold(asked)),
            "person": _escaped(_as_phone(fold(asked))),
        }
        whole = _WHOLE_EMAIL if people and "@" in asked else _WHOLE_INN if _INN.fullmatch(asked) else None
        found = await _run(reader, whole + _WHOLE, given) if whole is not None else []
        return found or await _run(reader, _parts(people), given) or await _run(reader, _likes(people), given)


@asynccontextmanager
async def _reading(actor: Principal) -> AsyncIterator[tuple[_Reader, int | None]]:
    """What to read through, and the one partner that the actor is held to.

    Whoever reaches all rows needs no transaction around statements of which only the last one counts.
    """
    if not (actor.is_tenant or actor.needs_grant):
        # A plan for any text at all would read a million rows for a text that few have.
        yield read_pool(tenant=False, primary=actor.kind == "staff", custom_plans=True), None
        return
    async with transaction(actor) as session:
        held_to = await partner_held_to(session, actor)
        yield await driver_connection(session), held_to


@cache
def _parts(people: bool) -> str:
    return _ranked("LIKE '%' || :escaped || '%'", "LIKE '%' || :person || '%'", people, score=_PART)


@cache
def _likes(people: bool) -> str:
    # `%>` looks whether some stretch of words is like the query; `core.database` says how much: one wrong letter in
    # five leaves half of the trigrams.
    return _ranked("%> :asked", "%> :asked", people, score=_LIKE)


def _ranked(matches: str, person_matches: str, people: bool, *, score: str) -> str:
    sources = [f"({_BY_CARD.format(matches=matches)})"]
    if people:
        sources.append(f"({_BY_PERSON.format(person_matches=person_matches)})")
    return _RANK.format(score=score, sources=" UNION ALL ".join(sources))


async def _run(reader: _Reader, statement: str, given: Mapping[str, Any]) -> list[Match]:
    sql, names = _numbered(statement)
    rows = await reader.fetch(sql, *(given[name] for name in names))
    return [Match(row["id"], row["by_person"], float(row["score"])) for row in rows]


@cache
def _numbered(statement: str) -> tuple[str, list[str]]:
    """The statement with ``$1`` in place of the first name, and so on, and the names."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        name = found[1]
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return re.sub(r"(?<!:):([a-z_]+)", number, statement), names


def _escaped(value: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", value)


def _as_phone(asked: str) -> str:
    """Digits alone where the query is a phone number, for they are kept so; a Russian 8 or +7 is left out."""
    digits = re.sub(r"\D", "", asked)
    if len(digits) < FEWEST_CHARS or not re.fullmatch(r"\+?[0-9 ()\-]+", asked):
        return asked
    return digits[1:] if len(digits) == 11 and digits[0] in "78" else digits
