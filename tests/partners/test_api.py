"""Partners and contacts through the API: made, changed, refused, and nothing written on refusal."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from core.ids import encode_id
from core.principal import Principal
from policies.roles import ROLES
from tests.api import payload, run
from tests.factories.world import a_partner, a_product, an_install, tokens_for

CREATE = """mutation($input: PartnerCreateInput!) { partnerCreate(input: $input) {
    partner { id name inn deployment version status } userErrors { code field message } } }"""
UPDATE = """mutation($input: PartnerUpdateInput!) { partnerUpdate(input: $input) {
    partner { name segment version status statusReason } userErrors { code field } } }"""
ASSIGN = """mutation($input: PartnerAssignManagerInput!) { partnerAssignManager(input: $input) {
    results { partnerId changed code } userErrors { code field } } }"""
CONTACT = """mutation($input: ContactCreateInput!) { contactCreate(input: $input) {
    contact { id fullName email isPrimary partner { name } } userErrors { code field } } }"""
CONTACT_UPDATE = """mutation($input: ContactUpdateInput!) { contactUpdate(input: $input) {
    contact { fullName isPrimary version } userErrors { code field } } }"""
CONTACT_DELETE = (
    """mutation($input: ContactDeleteInput!) { contactDelete(input: $input) { userErrors { code field } } }"""
)


async def test_create_and_read_back(owner: asyncpg.Connection) -> None:
    made = await payload(CREATE, input={"name": " Orion ", "inn": "7707083893", "deployment": "ON_PREMISE"})
    assert made["userErrors"] == []
    partner = made["partner"]
    assert (partner["name"], partner["inn"], partner["deployment"]) == ("Orion", "7707083893", "ON_PREMISE")
    assert (partner["version"], partner["status"]) == (1, "ACTIVE")
    event = await owner.fetchrow("SELECT action, partner_id, entity_id FROM audit_events")
    assert event is not None
    assert event["action"] == "partner.create"
    assert event["partner_id"] == event["entity_id"]


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"name": "  "}, "INVALID_VALUE", ["input", "name"]),
        ({"name": "a\u0007b"}, "INVALID_VALUE", ["input", "name"]),
        ({"name": "x" * 201}, "INVALID_VALUE", ["input", "name"]),
        ({"name": "x", "inn": "7707083894"}, "INVALID_INN", ["input", "inn"]),
        ({"name": "x", "kpp": "1"}, "INVALID_KPP", ["input", "kpp"]),
        ({"name": "x", "branchCount": -1}, "INVALID_VALUE", ["input", "branchCount"]),
        ({"name": "x", "deployment": None}, "INVALID_VALUE", ["input", "deployment"]),
        ({"name": "x", "accountManagerId": encode_id("User", 77)}, "NOT_FOUND", ["input", "accountManagerId"]),
        ({"name": "x", "accountManagerId": encode_id("Partner", 1)}, "INVALID_ID", ["input", "accountManagerId"]),
        ({"name": "x", "accountManagerId": "garbage"}, "INVALID_ID", ["input", "accountManagerId"]),
        ({"name": "x", "amocrmAccountId": "-1"}, "INVALID_VALUE", ["input", "amocrmAccountId"]),
        # Secrets of integrations are sent to this domain.
        ({"name": "x", "amocrmDomain": "evil.example"}, "FOREIGN_HOST", ["input", "amocrmDomain"]),
        ({"name": "x", "amocrmDomain": "demo.amocrm.ru.evil.example"}, "FOREIGN_HOST", ["input", "amocrmDomain"]),
        ({"name": "x", "amocrmDomain": "demo.amocrm.ru:8080"}, "FOREIGN_HOST", ["input", "amocrmDomain"]),
    ],
)
async def test_bad_values_name_their_field(
    owner: asyncpg.Connection, values: dict[str, Any], code: str, field: list[str]
) -> None:
    refused = await payload(CREATE, input=values)
    assert refused["partner"] is None
    (error,) = refused["userErrors"]
    assert (error["code"], error["field"]) == (code, field)
    for table in ("partners", "audit_events", "idempotency_records"):
        assert await owner.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_a_key_repeats_the_answer_and_refuses_other_input(owner: asyncpg.Connection) -> None:
    asked = {"name": "Orion", "idempotencyKey": "k1"}
    first = await payload(CREATE, input=asked)
    assert (await payload(CREATE, input=asked)) == first
    other = await payload(CREATE, input={**asked, "name": "Vega"})
    assert [error["code"] for error in other["userErrors"]] == ["IDEMPOTENCY_KEY_REUSED"]
    assert await owner.fetchval("SELECT count(*) FROM partners") == 1


async def test_update_needs_the_version_that_was_read(database_url: str) -> None:
    partner_id = encode_id("Partner", (await a_partner()).id)
    done = await payload(UPDATE, input={"id": partner_id, "version": 1, "segment": "small"})
    assert done["partner"]["segment"] == "small"
    assert done["partner"]["version"] == 2
    late = await payload(UPDATE, input={"id": partner_id, "version": 1, "segment": "big"})
    assert late["userErrors"] == [{"code": "VERSION_CONFLICT", "field": ["input", "version"]}]


async def test_a_standing_other_than_active_needs_a_reason(database_url: str) -> None:
    partner_id = encode_id("Partner", (await a_partner()).id)
    refused = await payload(UPDATE, input={"id": partner_id, "version": 1, "status": "BLOCKED"})
    assert refused["userErrors"] == [{"code": "INVALID_VALUE", "field": ["input", "statusReason"]}]
    told = {"id": partner_id, "version": 1, "status": "BLOCKED", "statusReason": "does not pay"}
    assert (await payload(UPDATE, input=told))["partner"]["status"] == "BLOCKED"


async def test_many_partners_get_another_manager_with_a_result_for_each(owner: asyncpg.Connection) -> None:
    keys = [(await a_partner()).id for _ in range(3)]
    manager = await owner.fetchval(
        "INSERT INTO users (kind, email, full_name, password_hash) VALUES ('STAFF', 'm@x.test', 'M', 'x') RETURNING id"
    )
    await owner.execute("UPDATE partners SET account_manager_id = $1 WHERE id = $2", manager, keys[2])
    ids = [encode_id("Partner", key) for key in (*keys, 999_999)]
    asked = {"ids": ids, "accountManagerId": encode_id("User", manager)}
    done = await payload(ASSIGN, input=asked)
    assert [(row["changed"], row["code"]) for row in done["results"]] == [
        *[(True, None)] * 2, (False, None), (False, "NOT_FOUND"),
    ]  # fmt: skip
    assert [row["partnerId"] for row in done["results"]] == ids
    assert await owner.fetchval("SELECT array_agg(version ORDER BY id) FROM partners") == [2, 2, 1]
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'partner.assign_manager'") == 2
    for wrong, field in (({"ids": []}, "ids"), ({"accountManagerId": encode_id("User", 77)}, "accountManagerId")):
        refused = await payload(ASSIGN, input={**asked, **wrong})
        assert (refused["results"], refused["userErrors"][0]["field"]) == (None, ["input", field])
    assert (await payload(ASSIGN, input={"ids": ids[:1], "accountManagerId": None}))["results"][0]["changed"] is True


async def test_one_card_an_amocrm_account(database_url: str) -> None:
    await a_partner(amocrm_account_id=5)
    refused = await payload(CREATE, input={"name": "x", "amocrmAccountId": "5"})
    assert [(error["code"], error["field"]) for error in refused["userErrors"]] == [
        ("TAKEN", ["input", "amocrmAccountId"])
    ]


async def test_the_first_contact_is_primary_and_the_next_may_take_over(owner: asyncpg.Connection) -> None:
    partner_id = encode_id("Partner", (await a_partner(name="Orion")).id)
    first = await payload(CONTACT, input={"partnerId": partner_id, "fullName": "Anna", "email": "ANNA@orion.test"})
    assert first["contact"]["isPrimary"] is True
    assert first["contact"]["email"] == "anna@orion.test"
    assert first["contact"]["partner"] == {"name": "Orion"}
    second = await payload(CONTACT, input={"partnerId": partner_id, "fullName": "Ivan", "isPrimary": True})
    assert second["contact"]["isPrimary"] is True
    assert await owner.fetchval("SELECT count(*) FROM contacts WHERE is_primary") == 1
    lost = await payload(CONTACT_UPDATE, input={"id": second["contact"]["id"], "version": 1, "isPrimary": False})
    assert lost["userErrors"] == [{"code": "INVALID_VALUE", "field": ["input", "isPrimary"]}]
    masked = await owner.fetchval("SELECT after FROM audit_events WHERE action = 'contact.create' LIMIT 1")
    assert "Anna" not in masked
    assert "anna" not in masked
    # Whose place was taken is at another version.
    late = {"id": first["contact"]["id"], "version": 1, "fullName": "Anna B."}
    assert (await payload(CONTACT_UPDATE, input=late))["userErrors"] == [
        {"code": "VERSION_CONFLICT", "field": ["input", "version"]}
    ]
    assert (await payload(CONTACT_UPDATE, input={**late, "version": 2}))["contact"]["version"] == 3


async def test_a_deleted_contact_leaves_no_name_behind(owner: asyncpg.Connection) -> None:
    partner = await a_partner()
    install = await an_install(partner.id, (await a_product()).product.id, tokens=tokens_for(1))
    partner_id = encode_id("Partner", partner.id)
    made = [await payload(CONTACT, input={"partnerId": partner_id, "fullName": name}) for name in ("Anna", "Boris")]
    anna, boris = ({"id": one["contact"]["id"], "version": 1} for one in made)
    await owner.execute("UPDATE installs SET installed_by_contact_id = (SELECT min(id) FROM contacts)")
    await owner.execute("UPDATE oauth_tokens SET manager_contact_id = (SELECT min(id) FROM contacts)")
    for wrong, code, field in (
        (anna, "PRIMARY_CONTACT", "id"),
        ({**boris, "version": 2}, "VERSION_CONFLICT", "version"),
        ({**boris, "id": encode_id("Contact", 999)}, "NOT_FOUND", "id"),
    ):
        refused = await payload(CONTACT_DELETE, input=wrong)
        assert refused["userErrors"] == [{"code": code, "field": ["input", field]}]
    assert await owner.fetchval("SELECT count(*) FROM contacts") == 2
    assert (await payload(CONTACT_UPDATE, input={**boris, "isPrimary": True}))["userErrors"] == []
    done = {**anna, "version": 2, "idempotencyKey": "once"}
    for _ in range(2):
        assert (await payload(CONTACT_DELETE, input=done))["userErrors"] == []
    assert [row["full_name"] for row in await owner.fetch("SELECT full_name FROM contacts")] == ["Boris"]
    for row in ("installed_by_contact_id FROM installs", "manager_contact_id FROM oauth_tokens"):
        assert await owner.fetchval(f"SELECT {row}") is None
    assert await owner.fetchval("SELECT status FROM installs WHERE id = $1", install.id) == "INSTALLED"
    written = str(await owner.fetch("SELECT before, after FROM audit_events WHERE action = 'contact.delete'"))
    assert written.count("***") == 1
    assert "Anna" not in written
    # The last one needs no successor.
    assert (await payload(CONTACT_DELETE, input={**boris, "version": 2}))["userErrors"] == []


async def test_partners_are_given_to_people_who_work_here(owner: asyncpg.Connection) -> None:
    gone = await owner.fetchval(
        "INSERT INTO users (kind, status, email, full_name) VALUES ('STAFF', 'BLOCKED', 'g@x.test', 'G') RETURNING id"
    )
    partner = await a_partner()
    asked = {"id": encode_id("Partner", partner.id), "version": 1, "accountManagerId": encode_id("User", gone)}
    refused = [{"code": "NOT_FOUND", "field": ["input", "accountManagerId"]}]
    assert (await payload(UPDATE, input=asked))["userErrors"] == refused
    # Whoever left is still named until somebody else is, and stands in no other change's way.
    await owner.execute("UPDATE partners SET account_manager_id = $1", gone)
    assert (await payload(UPDATE, input={**asked, "segment": "small"}))["userErrors"] == []


async def test_partners_cannot_write_cards(owner: asyncpg.Connection) -> None:
    partner = await a_partner()
    owner_principal = Principal(
        kind="partner", permissions=ROLES["PARTNER_OWNER"][1], user_id=None, partner_id=partner.id
    )
    answer = await run(CREATE, owner_principal, input={"name": "x"})
    assert answer["errors"]
    assert await owner.fetchval("SELECT count(*) FROM partners") == 1


async def test_auditors_are_refused_before_anything_runs(owner: asyncpg.Connection) -> None:
    auditor = Principal(kind="staff", permissions=ROLES["AUDITOR"][1])
    answer = await run(CREATE, auditor, input={"name": "x"})
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "partner:write" in answer["errors"][0]["message"]
    assert await owner.fetchval("SELECT count(*) FROM partners") == 0


async def test_a_tenants_write_reaches_its_own_rows_only(owner: asyncpg.Connection) -> None:
    own, other = await a_partner(), await a_partner()
    mine, theirs = [
        await owner.fetchval("INSERT INTO contacts (partner_id, full_name) VALUES ($1, 'x') RETURNING id", partner.id)
        for partner in (own, other)
    ]
    tenant = Principal(kind="partner", permissions=ROLES["PARTNER_OWNER"][1] | {"partner:write"}, partner_id=own.id)
    done = await payload(
        CONTACT_UPDATE, tenant, input={"id": encode_id("Contact", mine), "version": 1, "fullName": "Anna"}
    )
    assert done["contact"]["fullName"] == "Anna"
    foreign, absent = [
        await payload(CONTACT_UPDATE, tenant, input={"id": encode_id("Contact", key), "version": 1, "fullName": "Eve"})
        for key in (theirs, 999_999)
    ]
    assert foreign == absent
    assert foreign["userErrors"] == [{"code": "NOT_FOUND", "field": ["input", "id"]}]
    assert await owner.fetchval("SELECT full_name FROM contacts WHERE id = $1", theirs) == "x"
