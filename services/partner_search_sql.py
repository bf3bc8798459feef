"""Steps of the search over partners and their people, from the narrowest to the widest, as SQL (PAR-2).

Each step gives rows of ``id``, ``by_person`` and ``score``, the best ``first`` of them; `in_turn` makes one statement
of several. Names after a colon are parameters, numbered where a statement is run.
"""

from __future__ import annotations

import re
from functools import cache

# How many matches are ranked: a part of a word that half of all partners have need not be ranked among all of them.
RANKED = 200
# Where each piece of a text is common, so is the text, mostly: then the newest rows have enough of it.
NEWEST = 5_000
# Comparing texts takes ten times as long as looking for a part.
NEWEST_COMPARED = 1_000
# How much of a query's trigrams some stretch of a text must have to be like it; the operator `%>` asks the setting.
LIKENESS = "current_setting('pg_trgm.word_similarity_threshold')::real"
# Filters that narrow down partners, each by the parameter of its name.
FILTERS = {
    "partner_id": "p.id = CAST(:partner_id AS bigint)",
    "statuses": "p.status = ANY (CAST(:statuses AS text[]))",
    "segment": "p.segment = CAST(:segment AS text)",
    "manager": "p.account_manager_id = CAST(:manager AS bigint)",
}
# Where a statement is made of steps, the filters that are asked for come here: one that is not costs nothing.
_CARD_FITS, _PERSON_FITS = "<card fits>", "<person fits>"
_WHOLE = {
    "inn": f"p.id, false FROM partners p WHERE p.inn = :inn AND {_CARD_FITS}",
    "domain": f"p.id, false FROM partners p WHERE lower(p.amocrm_domain) = CAST(:domain AS text) AND {_CARD_FITS}",
    "email": f"c.partner_id, true FROM contacts c WHERE c.email = :email AND {_PERSON_FITS}",
    "phone": f"c.partner_id, true FROM contacts c WHERE search_phone(c.phone) = :phone AND {_PERSON_FITS}",
}
OF_PEOPLE = frozenset({"email", "phone"})

# Of two parts the one that fills more of its text fits better.
_PART = """
    CASE WHEN starts_with(text, CAST({asked} AS text)) AND NOT by_person THEN 3
         WHEN strpos(' ' || text, ' ' || {asked}) > 0 THEN 2
         ELSE 1 END + length({asked})::float / length(text)
"""
_LIKE = "word_similarity(CAST(:asked{of} AS text), text)"
# Sorted, and not grouped: making a table of hashes would take as long as finding what is put into it.
_BEST = """
    SELECT id, by_person, score FROM (
        SELECT DISTINCT ON (id) id, by_person, {score} AS score FROM ({candidates} LIMIT {ranked}) AS candidates
        ORDER BY id, score DESC) AS partners
    {where} ORDER BY score DESC, id DESC LIMIT CAST(:first AS bigint)
"""


@cache
def whole(*kinds: str) -> str:
    """Partners of which a text is the whole INN, domain, or the email or phone of a person."""
    found = " UNION ".join(f"SELECT {_WHOLE[kind]}" for kind in kinds)
    return f"SELECT id, by_person, 5::float AS score FROM ({found}) AS found (id, by_person)"


@cache
def beginnings(*, right: bool = False) -> str:
    """Partners whose name, or domain as it was typed, begins with the query.

    Ranges of a B-tree, and not LIKE, so that one plan serves every text. Filters come after: an index read in its order
    ends when it has enough, and what they leave out here is found as a part.

    Parameters:
        right: with the query as it was put right, by the parameters whose names end in ``_right``.
    """
    of = "_right" if right else ""
    names = f"""
        (SELECT p.id, false AS by_person, CASE WHEN search_fold(p.name) = CAST(:asked{of} AS text) THEN 4 ELSE 3 END
                + length(:asked{of})::float / length(p.search_text) AS score
            FROM (SELECT * FROM partners
                WHERE search_fold(name) ~>=~ :asked{of} AND search_fold(name) ~<~ CAST(:asked_end{of} AS text)
                ORDER BY search_fold(name) USING ~<~, id LIMIT {RANKED}) p
            WHERE {_CARD_FITS} LIMIT CAST(:first AS bigint))
    """
    domains = f"""
        (SELECT p.id, false, 3 + length(CAST(:typed AS text))::float / length(p.search_text)
            FROM (SELECT * FROM partners
                WHERE lower(amocrm_domain) ~>=~ :typed AND lower(amocrm_domain) ~<~ CAST(:typed_end AS text)
                ORDER BY lower(amocrm_domain) USING ~<~, id LIMIT {RANKED}) p
            WHERE {_CARD_FITS} LIMIT :first)
    """
    return _put_right(names, "") if right else f"{names} UNION ALL {domains}"


@cache
def parts(*, people: bool, by: str, right: bool = False) -> str:
    """Texts that hold the query.

    Parameters:
        people: look through people, by the parameters whose names end in ``_person``, not through cards.
        by: what narrows the rows down: ``pieces``, ``trigrams`` for a query that has none, or ``newest``.
        right: look for the query as it was put right, by the parameters whose names end in ``_right``.
    """
    row, _, side = _side(people)
    of = f"{side}_right" if right else side
    holds = f"strpos({row}.search_text, CAST(:asked{of} AS text)) > 0"
    narrowed = {
        "pieces": f"search_pieces({row}.search_text) @> CAST(:pieces{of} AS text[]) AND {holds}",
        "trigrams": f"{row}.search_text LIKE '%' || CAST(:escaped{of} AS text) || '%'",
        "newest": holds,
    }[by]
    candidates = _candidates(people, narrowed, newest=NEWEST if by == "newest" else None)
    step = _BEST.format(score=_PART.format(asked=f":asked{of}"), candidates=candidates, ranked=RANKED, where="")
    return _put_right(step, side) if right else step


@cache
def wrong_letter(*, people: bool, right: bool = False) -> str:
    """Texts that have one of the ``sets`` of pieces, each joined by line feeds, and are like the query.

    Parameters:
        right: the query as it was put right, by the parameters whose names end in ``_right``.
    """
    row, _, of = _side(people)
    of += "_right" if right else ""
    one = _candidates(people, f"search_pieces({row}.search_text) @> string_to_array(pieces, chr(10))")
    candidates = f"""
        SELECT one.* FROM unnest(CAST(:sets{of} AS text[])) AS pieces CROSS JOIN LATERAL ({one} LIMIT {RANKED}) one
    """
    like = _LIKE.format(of=of)
    return _BEST.format(score=like, candidates=candidates, ranked="ALL", where=f"WHERE score >= {LIKENESS}")


@cache
def likeness(*, people: bool, newest: bool) -> str:
    """Texts of which some stretch is ``like`` the query: one wrong letter in five leaves half of the trigrams.

    Parameters:
        newest: only among the newest rows.
    """
    row, _, of = _side(people)
    candidates = _candidates(
        people, f"{row}.search_text %> CAST(:like{of} AS text)", newest=NEWEST_COMPARED if newest else None
    )
    return _BEST.format(score=_LIKE.format(of=of), candidates=candidates, ranked=RANKED, where="")


def _side(people: bool) -> tuple[str, str, str]:
    """Alias, table, and the end of the names of its parameters."""
    return ("c", "contacts", "_person") if people else ("p", "partners", "")


def _candidates(people: bool, matches: str, *, newest: int | None = None) -> str:
    row, table, _ = _side(people)
    rows = f"(SELECT * FROM {table} ORDER BY id DESC LIMIT {newest})" if newest else table
    key, fits = ("partner_id", _PERSON_FITS) if people else ("id", _CARD_FITS)
    return (
        f"SELECT {row}.{key} AS id, {str(people).lower()} AS by_person, {row}.search_text AS text "
        f"FROM {rows} {row} WHERE {matches} AND {fits}"
    )


def _put_right(step: str, side: str) -> str:
    """What holds the query as it was put right: as like the query as that is, less a little."""
    like = f"word_similarity(CAST(:asked{side} AS text), :asked{side}_right) - 0.05"
    return f"SELECT id, by_person, {like} + score / 100 AS score FROM ({step}) AS step"


@cache
def in_turn(*groups: tuple[str, ...], filters: tuple[str, ...] = ()) -> str:
    """One statement of groups of steps: a group is taken only where those before it have found nothing at all.

    In a group each step is taken only where none of those before it has filled the page.

    Parameters:
        filters: those that narrow down partners.
    """
    expressions: list[str] = []
    rows: list[str] = []
    for group in groups:
        goes_on = [f"NOT EXISTS ({found})" for found in rows]
        for step in group:
            number = len(rows)
            taken = step
            if goes_on:
                expressions.append(f"goes_on{number} AS (SELECT WHERE {' AND '.join(goes_on)})")
                taken = f"SELECT * FROM ({step}) AS step WHERE EXISTS (SELECT FROM goes_on{number})"
            expressions.append(f"step{number} AS MATERIALIZED ({taken})")
            rows.append(f"SELECT * FROM step{number}")
            so_far = [f"EXISTS (SELECT FROM goes_on{number})"] if goes_on else []
            goes_on = [f"(SELECT count(*) FROM step{number}) < :first", *so_far]
    statement = f"WITH {', '.join(expressions)} {' UNION ALL '.join(rows)}"
    fits = " AND ".join(FILTERS[name] for name in filters)
    of_person = f"EXISTS (SELECT FROM partners p WHERE p.id = c.partner_id AND {fits})" if fits else "true"
    return statement.replace(_CARD_FITS, fits or "true").replace(_PERSON_FITS, of_person)


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
