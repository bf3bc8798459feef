"""Contracts, notes, standing and search of partners through the API (PAR-1 to PAR-4)."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from core.ids import encode_id
from core.principal import Principal
from domain.search_text import fold
from services import partner_search
from tests.api import payload, run
from tests.factories.world import STAFF, a_partner

STATUS = """mutation($input: PartnerChangeStatusInput!) { partnerChangeStatus(input: $input) {
    partner { status statusReason version statusChanges { nodes { fromStatus toStatus reason } } }
    userErrors { code field } } }"""
CONTRACT = """mutation($input: PartnerContractCreateInput!) { partnerContractCreate(input: $input) {
    contract { id number status version amount { amount currency } partner { name } } userErrors { code field } } }"""
CONTRACT_UPDATE = """mutation($input: PartnerContractUpdateInput!) { partnerContractUpdate(input: $input) {
    contract { number status version } userErrors { code field } } }"""
NOTE = """mutation($input: PartnerNoteCreateInput!) { partnerNoteCreate(input: $input) {
    note { kind body } userErrors { code field } } }"""
SEARCH = """query($query: String!, $status: [PartnerStatus!], $segment: String) {
    partnerSearch(query: $query, status: $status, segment: $segment) {
        partners { name } matches { byPerson score } } }"""


async def test_standing_is_changed_with_a_reason_and_remembered(owner: asyncpg.Connection) -> None:
    partner_id = encode_id("Partner", (await a_partner()).id)
    bare = await payload(STATUS, input={"id": partner_id, "version": 1, "status": "BLOCKED"})
    assert bare["userErrors"] == [{"code": "INVALID_VALUE", "field": ["input", "reason"]}]
    done = await payload(STATUS, input={"id": partner_id, "version": 1, "status": "BLOCKED", "reason": "debts"})
    assert (done["partner"]["status"], done["partner"]["statusReason"]) == ("BLOCKED", "debts")
    late = await payload(STATUS, input={"id": partner_id, "version": 1, "status": "ACTIVE"})
    assert late["userErrors"] == [{"code": "VERSION_CONFLICT", "field": ["input", "version"]}]
    back = await payload(STATUS, input={"id": partner_id, "version": 2, "status": "ACTIVE"})
    assert back["partner"]["statusReason"] is None
    assert back["partner"]["statusChanges"]["nodes"] == [
        {"fromStatus": "BLOCKED", "toStatus": "ACTIVE", "reason": None},
        {"fromStatus": "ACTIVE", "toStatus": "BLOCKED", "reason": "debts"},
    ]
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'partner.change_status'") == 2


async def test_contracts_are_entered_and_changed(database_url: str) -> None:
    partner_id = encode_id("Partner", (await a_partner(name="Orion")).id)
    asked = {"partnerId": partner_id, "number": "12/3", "amount": "100.50", "currency": "RUB"}
    made = (await payload(CONTRACT, input=asked))["contract"]
    assert (made["number"], made["status"], made["partner"]["name"]) == ("12/3", "DRAFT", "Orion")
    assert made["amount"] == {"amount": "100.50", "currency": "RUB"}
    again = await payload(CONTRACT, input=asked)
    assert again["userErrors"] == [{"code": "TAKEN", "field": ["input", "number"]}]
    told = {"id": made["id"], "version": 1, "status": "ACTIVE"}
    assert (await payload(CONTRACT_UPDATE, input=told))["contract"]["status"] == "ACTIVE"
    bad = {"id": made["id"], "version": 2, "amount": None}
    assert (await payload(CONTRACT_UPDATE, input=bad))["userErrors"][0]["field"] == ["input", "currency"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"number": " "}, "number"),
        ({"amount": "1"}, "currency"),
        ({"amount": "1.001", "currency": "RUB"}, "amount"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": "http://[x"}, "url"),
        ({"startsAt": "2027-01-02T00:00:00Z", "endsAt": "2027-01-01T00:00:00Z"}, "endsAt"),
    ],
)
async def test_bad_contracts_name_their_field(owner: asyncpg.Connection, values: dict[str, Any], field: str) -> None:
    partner_id = encode_id("Partner", (await a_partner()).id)
    refused = await payload(CONTRACT, input={"partnerId": partner_id, "number": "1", **values})
    assert refused["userErrors"][0]["field"] == ["input", field]
    assert await owner.fetchval("SELECT count(*) FROM partner_contracts") == 0


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


async def test_text_is_folded_as_the_database_folds_it(owner: asyncpg.Connection) -> None:
    for text in ("Съешь ещё этих мягких французских булок, да выпей чаю", "ÀÉ Straße 100% _x", ""):
        assert await owner.fetchval("SELECT search_fold($1)", text) == fold(text)


async def test_a_nul_in_a_search_is_refused(database_url: str) -> None:
    with pytest.raises(Exception, match="control characters"):
        await partner_search.search(STAFF, query="abc\0d", first=5)
