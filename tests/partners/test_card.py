"""Contracts, notes and standing of partners through the API (PAR-1, PAR-3, PAR-4)."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from core.ids import encode_id
from tests.api import payload
from tests.factories.world import a_partner

STATUS = """mutation($input: PartnerChangeStatusInput!) { partnerChangeStatus(input: $input) {
    partner { status statusReason version statusChanges { nodes { fromStatus toStatus reason } } }
    userErrors { code field } } }"""
CONTRACT = """mutation($input: PartnerContractCreateInput!) { partnerContractCreate(input: $input) {
    contract { id number status version amount { amount currency } partner { name } } userErrors { code field } } }"""
CONTRACT_UPDATE = """mutation($input: PartnerContractUpdateInput!) { partnerContractUpdate(input: $input) {
    contract { number status version } userErrors { code field } } }"""
NOTE = """mutation($input: PartnerNoteCreateInput!) { partnerNoteCreate(input: $input) {
    note { kind body } userErrors { code field } } }"""


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
