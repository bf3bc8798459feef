"""Steps of the search over partners and their people, from the narrowest to the widest, as SQL (PAR-2).

Each step gives rows of ``id``, ``by_person`` and ``score``, the best ``first`` of them; `in_turn` makes one statement
of several. Names after a colon are parameters, numbered where a statement is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

# How many matches are ranked: a part of a word that half of all partners have need not be ranked among all of them.
RANKED = 200
# Where each piece of a text is common, so is the text, mostly: then the newest rows have enough of it.
NEWEST = 5_000
# How much of a query's trigrams some stretch of a text must have to be like it; the operator `%>` asks the setting.
LIKENESS = "current_setting('pg_trgm.word_similarity_threshold')::real"

_REACH = """
    (CAST(:partner_id AS bigint) IS NULL OR p.id = :partner_id)
    AND (CAST(:statuses AS text[]) IS NULL OR p.status = ANY (:statuses))
    AND (CAST(:segment AS text) IS NULL OR p.segment = :segment)
    AND (CAST(:manager AS bigint) IS NULL OR p.account_manager_id = :manager)
"""
_WHOLE = {
    "inn": "partners p WHERE p.inn = :inn",
    "domain": "partners p WHERE lower(p.amocrm_domain) = CAST(:domain AS text)",
    "email": "contacts c JOIN partners p ON p.id = c.partner_id WHERE c.email = :email",
    "phone": "contacts c JOIN partners p ON p.id = c.partner_id WHERE search_phone(c.phone) = CAST(:phone AS text)",
}
OF_PEOPLE = frozenset({"email", "phone"})

# Ranges of a B-tree, and not LIKE, so that one plan serves every text. Filters come after: an index read in its order
# ends when it has enough, and what they leave out here is found as a part.
BEGINNINGS = f"""
    (SELECT p.id, false AS by_person, CASE WHEN search_fold(p.name) = CAST(:asked AS text) THEN 4 ELSE 3 END
            + length(:asked)::float / length(p.search_text) AS score
        FROM (SELECT * FROM partners
            WHERE search_fold(name) ~>=~ :asked AND search_fold(name) ~<~ CAST(:asked_end AS text)
            ORDER BY search_fold(name) USING ~<~, id LIMIT {RANKED}) p
        WHERE {_REACH} LIMIT CAST(:first AS bigint))
    UNION ALL
    (SELECT p.id, false, 3 + length(CAST(:typed AS text))::float / length(p.search_text)
        FROM (SELECT * FROM partners
            WHERE lower(amocrm_domain) ~>=~ :typed AND lower(amocrm_domain) ~<~ CAST(:typed_end AS text)
            ORDER BY lower(amocrm_domain) USING ~<~, id LIMIT {RANKED}) p
        WHERE {_REACH} LIMIT :first)
"""

_CARDS = "SELECT p.id, false AS by_person, p.search_text AS text FROM {rows} p WHERE {matches} AND " + _REACH
_PEOPLE = (
    "SELECT p.id, true AS by_person, c.search_text AS text FROM {rows} c JOIN partners p ON p.id = c.partner_id "
    "WHERE {matches} AND " + _REACH
)
# Of two parts the one that fills more of its text fits better.
_PART = """
    CASE WHEN starts_with(text, CAST({asked} AS text)) AND NOT by_person THEN 3
         WHEN strpos(' ' || text, ' ' || {asked}) > 0 THEN 2
         ELSE 1 END + length({asked})::float / length(text)
"""
_LIKE = "word_similarity(CAST(:asked AS text), text)"
_BEST = """
    SELECT id, by_person, max({score}) AS score FROM ({candidates} LIMIT {ranked}) AS candidates
    GROUP BY id, by_person {having} ORDER BY score DESC, id DESC LIMIT CAST(:first AS bigint)
"""


def whole(kinds: Iterable[str]) -> str:
    """Partners of which a text is the whole INN, domain, or the email or phone of a person."""
    return " UNION ".join(
        f"SELECT p.id, {str(kind in OF_PEOPLE).lower()} AS by_person, 5.0 AS score FROM {_WHOLE[kind]} AND {_REACH}"
        for kind in kinds
    )


def parts(*, people: bool, by: str) -> str:
    """Texts that hold the query.

    Parameters:
        people: look through people, by the parameters whose names end in ``_person``, not through cards.
        by: what narrows the rows down: ``pieces``, ``trigrams`` for a query that has none, or ``newest``.
    """
    row, table, of = ("c", "contacts", "_person") if people else ("p", "partners", "")
    holds = f"strpos({row}.search_text, CAST(:asked{of} AS text)) > 0"
    narrowed = {
        "pieces": f"search_pieces({row}.search_text) @> CAST(:pieces{of} AS text[]) AND {holds}",
        "trigrams": f"{row}.search_text LIKE '%' || CAST(:escaped{of} AS text) || '%'",
        "newest": holds,
    }[by]
    rows = f"(SELECT * FROM {table} ORDER BY id DESC LIMIT {NEWEST})" if by == "newest" else table
    candidates = (_PEOPLE if people else _CARDS).format(rows=rows, matches=narrowed)
    return _BEST.format(score=_PART.format(asked=f":asked{of}"), candidates=candidates, ranked=RANKED, having="")


def wrong_letter(*, people: bool) -> str:
    """Texts that have one of the ``sets`` of pieces, each joined by line feeds, and are like the query."""
    row, table, of = ("c", "contacts", "_person") if people else ("p", "partners", "")
    matches = f"search_pieces({row}.search_text) @> string_to_array(pieces, chr(10))"
    one = (_PEOPLE if people else _CARDS).format(rows=table, matches=matches)
    candidates = f"""
        SELECT one.* FROM unnest(CAST(:sets{of} AS text[])) AS pieces CROSS JOIN LATERAL ({one} LIMIT {RANKED}) one
    """
    return _BEST.format(score=_LIKE, candidates=candidates, ranked="ALL", having=f"HAVING max({_LIKE}) >= {LIKENESS}")


def likeness(*, people: bool) -> str:
    """Texts of which some stretch is like the query: one wrong letter in five leaves half of the trigrams."""
    row, table = ("c", "contacts") if people else ("p", "partners")
    candidates = (_PEOPLE if people else _CARDS).format(
        rows=table, matches=f"{row}.search_text %> CAST(:asked AS text)"
    )
    return _BEST.format(score=_LIKE, candidates=candidates, ranked=RANKED, having="")


@cache
def in_turn(*steps: str) -> str:
    """One statement that takes each step only where those before it have not found enough."""
    before: list[str] = []
    expressions = []
    for number, step in enumerate(steps):
        so_far = f"(SELECT count(DISTINCT id) FROM ({_all_of(before)}) AS found) < :first"
        taken = f"SELECT * FROM ({step}) AS step WHERE {so_far}" if before else step
        expressions.append(f"step{number} AS MATERIALIZED ({taken})")
        before.append(f"step{number}")
    return f"WITH {', '.join(expressions)} {_all_of(before)}"


def _all_of(steps: Iterable[str]) -> str:
    return " UNION ALL ".join(f"SELECT * FROM {step}" for step in steps)


def common(*, people: bool) -> str:
    """Pieces that one in a hundred of the newest rows has."""
    return f"""
        SELECT piece FROM (SELECT search_text FROM {"contacts" if people else "partners"} ORDER BY id DESC LIMIT 1000) t
            CROSS JOIN LATERAL (SELECT DISTINCT unnest(search_pieces(search_text)) AS piece) AS pieces
        GROUP BY piece HAVING count(*) > 10
    """


@cache
def numbered(statement: str) -> tuple[str, list[str]]:
    """The statement with ``$1`` in place of the first name, and so on, and the names."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        name = found[1]
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return re.sub(r"(?<!:):([a-z_]+)", number, statement), names
