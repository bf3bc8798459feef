"""Search over partners and their people: what is found, and in which order (PAR-2)."""

from __future__ import annotations

import math
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from core.principal import Principal
from domain.search_text import fold, phone_digits, pieces_with_a_wrong_letter, trigrams
from domain.search_words import CommonWords, one_mistake_apart
from services import partner_search, partner_search_common
from services.partner_search_common import NOTHING, Common
from tests.api import payload, run
from tests.factories.world import STAFF, a_partner

SEARCH = """query($query: String!, $status: [PartnerStatus!], $segment: String) {
    partnerSearch(query: $query, status: $status, segment: $segment) {
        partners { name } matches { byPerson score } } }"""


def pieces_of(text: str) -> list[str]:
    """All pieces that the index has of a text."""
    padded = f" {text} "
    return [padded[at : at + 4] for at in range(len(text) - 1)]


async def names(query: str, principal: Principal = STAFF, **more: Any) -> list[str]:
    found = await payload(SEARCH, principal, query=query, **more)
    assert len(found["matches"]) == len(found["partners"])
    return [partner["name"] for partner in found["partners"]]


async def test_search_finds_by_parts_and_forgives_typing_errors(owner: asyncpg.Connection) -> None:
    orion = await a_partner(name="Салон Орион", legal_name="ООО «Звезда 100%»", inn="7707083893", segment="small")
    await a_partner(name="Орион Плюс", amocrm_domain="orionplus.amocrm.ru", status="SUSPENDED", status_reason="x")
    await a_partner(name="Vega")
    await owner.execute(
        "INSERT INTO contacts (partner_id, full_name, email, phone) VALUES ($1, 'Анна', 'anna@x.test', '+7 (912) 345-67-89')",
        orion.id,
    )
    assert await names("орион") == ["Орион Плюс", "Салон Орион"]
    assert await names("орион", status=["ACTIVE"]) == ["Салон Орион"]
    assert await names("орион", segment="small") == ["Салон Орион"]
    assert await names("08389") == ["Салон Орион"]
    assert await names("orionplus.amo") == ["Орион Плюс"]
    assert await names("00%") == ["Салон Орион"]
    assert await names("0_%") == []
    assert await names("арион") == ["Орион Плюс", "Салон Орион"]
    assert await names("ORION") == ["Орион Плюс", "Салон Орион"]
    assert await names("звёзда") == ["Салон Орион"]
    assert await names("Anna@x.test") == ["Салон Орион"]
    assert await names("7707083893") == ["Салон Орион"]
    assert await names("anna@x") == ["Салон Орион"]
    assert await names("8 (912) 345-67-89") == ["Салон Орион"]
    nobody = Principal(kind="staff", permissions=STAFF.permissions - {"partner:pii"})
    assert await names("anna@x", nobody) == []
    tenant = Principal(kind="partner", permissions=STAFF.permissions, partner_id=orion.id)
    assert await names("орион", tenant) == ["Салон Орион"]
    short = await run(SEARCH, query="ор")
    assert short["errors"][0]["extensions"]["code"] == "INVALID_VALUE"


async def test_texts_are_to_the_database_what_they_are_to_a_search(owner: asyncpg.Connection) -> None:
    for text in ("Съешь ещё этих мягких французских булок, да выпей чаю", "ÀÉ Straße 100% _x", "ab", ""):
        if fold(text).isascii():
            assert await owner.fetchval("SELECT show_trgm($1)", fold(text)) == sorted(trigrams(fold(text)))
        assert await owner.fetchval("SELECT search_fold($1)", text) == fold(text)
        assert await owner.fetchval("SELECT search_pieces($1)", text) == pieces_of(text)
    for phone in ("+7 (912) 345-67-89", "8 912 345 67 89", "912-345-67-89", "+998 90 123-45-67", "12 34"):
        assert await owner.fetchval("SELECT search_phone($1)", phone) == phone_digits(phone)


async def test_a_whole_value_finds_just_its_partners(owner: asyncpg.Connection) -> None:
    vega = await a_partner(name="Vega", inn="7707083893", amocrm_domain="Vega.amoCRM.ru")
    await a_partner(name="7707083893 and vega.amocrm.ru and a@vega.test and 9123456789")
    people = "INSERT INTO contacts (partner_id, full_name, email, phone) VALUES ($1, 'Анна', 'a@vega.test', $2)"
    for phone in ("+7 (912) 345-67-89", "8 912 345 67 89"):
        await owner.execute(people, vega.id, phone)
    for query in ("7707083893", "VEGA.amocrm.ru", "A@vega.test", "9123456789", "+79123456789"):
        assert await names(query) == ["Vega"], query
    nobody = Principal(kind="staff", permissions=STAFF.permissions - {"partner:pii"})
    assert len(await names("9123456789", nobody)) == 1
    assert "Vega" not in await names("9123456789", nobody)


TEXTS = st.lists(st.text("абво", min_size=1, max_size=6), min_size=1, max_size=2).map(" ".join)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    called=st.lists(TEXTS, min_size=12, max_size=25), known=st.lists(TEXTS, min_size=12, max_size=25), data=st.data()
)
async def test_a_part_finds_all_that_have_it_best_first(
    owner: asyncpg.Connection, called: list[str], known: list[str], data: st.DataObject
) -> None:
    """Whatever pieces are taken for common: they change the way, never what is found."""
    await owner.execute("DELETE FROM contacts; DELETE FROM partners")
    await owner.execute("INSERT INTO partners (name, segment) SELECT n, 'x' FROM unnest($1::text[]) n", called)
    await owner.execute(
        "INSERT INTO contacts (partner_id, full_name) SELECT p.id, n FROM unnest($1::text[]) WITH ORDINALITY k (n, at) "
        "JOIN (SELECT id, row_number() OVER (ORDER BY id DESC) AS at FROM partners) p USING (at)",
        known,
    )
    rows = await owner.fetch(
        "SELECT p.id, p.search_text AS card, coalesce(max(c.search_text), '') AS person FROM partners p "
        "LEFT JOIN contacts c ON c.partner_id = p.id GROUP BY p.id"
    )
    text = data.draw(st.sampled_from(sorted({row[kind].strip() for row in rows for kind in ("card", "person")} - {""})))
    start = data.draw(st.integers(0, max(len(text) - 3, 0)))
    query = text[start : data.draw(st.integers(start + 3, max(len(text), start + 3)))].strip()
    assume(len(query) >= 3)
    holding = {row["id"] for row in rows if query in row["card"] or query in row["person"]}
    texts = [row[kind] for row in rows for kind in ("card", "person")]
    everything = Common(
        frozenset(piece for text in texts for piece in pieces_of(text)),
        frozenset().union(*map(trigrams, texts)),
        CommonWords({word: None for text in texts for word in text.split()}),
    )
    for common in (NOTHING, everything):
        for side in (False, True):
            partner_search_common.remember(common, people=side, seconds=math.inf)
        found = await partner_search.search(STAFF, query=query, first=50, segment="x")
        assert {match.partner_id for match in found} == holding, (query, common)
        cards = {row["id"]: row["card"] for row in rows}
        for match in found:
            card = cards[match.partner_id]
            assert match.by_person == (query not in card)
            assert (match.score >= 3) == card.startswith(query)
        assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)
        few = await partner_search.search(STAFF, query=query, first=2)
        assert len(few) == min(2, len(holding))
    partner_search_common.forget()


async def test_a_card_and_its_person_match_as_one_partner(owner: asyncpg.Connection) -> None:
    partner = await a_partner(name="абоа")
    await owner.execute("INSERT INTO contacts (partner_id, full_name) VALUES ($1, 'боа')", partner.id)
    (match,) = (await payload(SEARCH, STAFF, query="боа"))["matches"]
    assert not match["byPerson"], "its card has it too"
    assert float(match["score"]) > 2, "the person's name begins with it"


async def test_more_than_a_page_begins_with_it_and_a_filter_leaves_the_last(owner: asyncpg.Connection) -> None:
    await owner.execute(
        "INSERT INTO partners (name, status, status_reason) SELECT 'Салон ' || n, "
        "CASE n WHEN 777 THEN 'BLOCKED' ELSE 'ACTIVE' END, CASE n WHEN 777 THEN 'x' END FROM generate_series(100, 999) n"
    )
    await owner.execute("INSERT INTO partners (name, legal_name) VALUES ('Салон', 'Ю'), ('Весна', 'Салон 555')")
    assert (await names("салон"))[0] == "Салон"
    assert await names("салон", status=["BLOCKED"]) == ["Салон 777"]
    assert await names("салон 555") == ["Салон 555", "Весна"]
    assert await names("весна салон") == ["Весна"]


@given(st.lists(st.text("abcdefgh", min_size=6, max_size=12), min_size=1, max_size=3), st.data())
def test_a_wrong_letter_leaves_one_of_the_sets_whole(words: list[str], data: st.DataObject) -> None:
    right = " ".join(words)
    at = data.draw(st.sampled_from([place for place, letter in enumerate(right) if letter != " "]))
    typed = data.draw(
        st.sampled_from(
            [right[:at] + "z" + right[at + 1 :], right[:at] + right[at + 1 :], right[:at] + "z" + right[at:]]
        )
    )
    there = set(pieces_of(f"one {right} more"))
    sets = pieces_with_a_wrong_letter(typed, frozenset())
    assert any(there.issuperset(asked) for asked in sets)


def mistakes(word: str) -> set[str]:
    """All that one mistake makes of a word, letters being those of the alphabet of `WORDS`."""
    letters = "abc"
    ends = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    return {
        *(before + after[1:] for before, after in ends if after),
        *(before + letter + after for before, after in ends for letter in letters),
        *(before + letter + after[1:] for before, after in ends if after for letter in letters),
        *(before + after[1] + after[0] + after[2:] for before, after in ends if len(after) > 1),
    } - {word}


WORDS = st.text("abc", min_size=4, max_size=7)


@given(st.lists(WORDS, min_size=1, max_size=8, unique=True), WORDS)
def test_a_word_is_put_right_to_the_most_common_one_that_is_one_mistake_away(words: list[str], typed: str) -> None:
    meant = next((word for word in words if word in mistakes(typed)), None)
    common = CommonWords(words)
    assert common.put_right(f"«{typed}» x") == (None if typed in words or meant is None else f"«{meant}» x")
    assert common.without(f"{typed} x-y") == ("x-y" if typed in words else f"{typed} x-y")
    for word in words:
        assert word == typed or one_mistake_apart(word, typed) == (word in mistakes(typed))


COMMON_TEXTS = """
    INSERT INTO partners (name) SELECT ('{Орион,Рубин,Сфера,Банк}'::text[])[1 + n % 4] || ' ' || substr(md5(n::text), 1, 7)
        FROM generate_series(1, 1500) AS n;
    INSERT INTO contacts (partner_id, full_name) SELECT id, 'Виктория ' || substr(md5(id::text), 1, 7) FROM partners;
"""


async def test_a_common_word_with_a_mistake_is_put_right(owner: asyncpg.Connection) -> None:
    partner_search_common.forget()
    await owner.execute(COMMON_TEXTS)
    rare = await a_partner(name="Лубан Юг")
    tenant = Principal(kind="partner", permissions=STAFF.permissions, partner_id=rare.id)
    assert await names("рубан", tenant) == ["Лубан Юг"]
    known = await partner_search_common.common(owner, people=False)
    assert known.words.put_right("orqon sfrea rubin") == "orion sfera rubin", "not what the tenant could see"
    assert {" ori", "rion"} <= known.pieces
    nobody = Principal(kind="staff", permissions=STAFF.permissions - {"partner:pii"})
    for typed, meant in (("орыон", "Орион"), ("Сфрера", "Сфера"), ("рбуин", "Рубин"), ("бонк", "Банк")):
        found = await names(typed)
        assert len(found) == 20
        assert all(name.startswith(meant) for name in found), "those that begin with it first"
        assert await names(typed, nobody) == found
    both = await names("рубан")
    assert both[0] == "Лубан Юг", "a rare word that is as like comes before a common one"
    assert both[1].startswith("Рубин")
    assert await names("Викотрия", nobody) == []
    by_person = (await payload(SEARCH, STAFF, query="Викотрия"))["matches"]
    assert len(by_person) == 20
    assert all(match["byPerson"] and float(match["score"]) < 1 for match in by_person)
    (row,) = await owner.fetch("SELECT name FROM partners WHERE name LIKE 'Сфера%' ORDER BY id LIMIT 1")
    name = row["name"]
    assert (await names(f"сфрера{name[5:]}"))[0] == name
    twice = f"сфрера{name[5:-4]}x{name[-3:]}"
    assert (await names(twice))[0] == name, "and a wrong letter in the other word"
    assert float((await payload(SEARCH, STAFF, query=twice))["matches"][0]["score"]) > 0.6, "as like as what was meant"


async def test_what_is_like_too_much_is_looked_for_among_the_newest(owner: asyncpg.Connection) -> None:
    await owner.execute(COMMON_TEXTS)
    everywhere = Common(
        frozenset(pieces_of("orion")), frozenset(trigrams("orion")), CommonWords(["orion", "rubin", "sfera"])
    )
    for side in (False, True):
        partner_search_common.remember(everywhere, people=side, seconds=math.inf)
    await a_partner(name="Кассиопея")
    assert await names("касиопя сфера") == ["Кассиопея"], "like the word that is not common"
    for typed in ("орионщщ", "юждщ орион"):
        found = await names(typed)
        assert len(found) == 20
        assert all(name.startswith("Орион") for name in found)
    assert await names("юждщ") == []
    partner_search_common.forget()


async def test_a_nul_in_a_search_is_refused(database_url: str) -> None:
    with pytest.raises(Exception, match="control characters"):
        await partner_search.search(STAFF, query="abc\0d", first=5)
