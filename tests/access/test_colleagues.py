"""Names of our own people, for those whom partners and onboardings are given to or by (PAR-1, ONB-1, ACC-3)."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy import func, select

from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from policies.roles import ROLES
from tests.access.test_grants import NOTE, a_user, granted
from tests.api import payload, run
from tests.factories.world import a_partner

Connection = asyncpg.Connection
COLLEAGUES = "query($query: String) { colleagues(query: $query) { userId name } }"
ASSIGN = """mutation($input: PartnerAssignManagerInput!) { partnerAssignManager(input: $input) {
    results { changed } userErrors { code } } }"""
CARD = "{ partners { nodes { accountManagerName notes { nodes { writtenByName } } } } }"


@pytest.fixture
async def people(owner: Connection) -> dict[str, Principal]:
    """Some of us; the last one has left."""
    found = {role: await a_user(owner, role) for role in ("SALES", "SUPPORT", "SUPERADMIN", "DEVELOPER")}
    for role, name in (("SALES", "Olga Sales"), ("SUPPORT", "Ivan_50%"), ("SUPERADMIN", "Ada"), ("DEVELOPER", "Left")):
        await owner.execute("UPDATE users SET full_name = $1 WHERE id = $2", name, found[role].user_id)
    await owner.execute("UPDATE users SET status = 'BLOCKED' WHERE full_name = 'Left'")
    return found


async def test_sales_give_partners_to_colleagues_and_read_whose_they_are(
    owner: Connection, people: dict[str, Principal]
) -> None:
    sales = people["SALES"]
    partner = await a_partner()
    await owner.execute(
        "INSERT INTO users (kind, partner_id, email, full_name) VALUES ('PARTNER', $1, 'p@x.test', 'Olga of theirs')",
        partner.id,
    )
    told = (await run(COLLEAGUES, sales))["data"]["colleagues"]
    assert [one["name"] for one in told] == ["Ada", "Ivan_50%", "Olga Sales"]
    for part, names in (("OLGA", ["Olga Sales"]), ("_5", ["Ivan_50%"]), ("%", ["Ivan_50%"]), ("nobody", [])):
        assert [one["name"] for one in (await run(COLLEAGUES, sales, query=part))["data"]["colleagues"]] == names
    asked = {"ids": [encode_id("Partner", partner.id)], "accountManagerId": told[2]["userId"]}
    assert (await payload(ASSIGN, sales, input=asked))["results"] == [{"changed": True}]
    note = {"partnerId": asked["ids"][0], "body": "called"}
    assert (await payload(NOTE, sales, input=note))["userErrors"] == []
    card = {"accountManagerName": "Olga Sales", "notes": {"nodes": [{"writtenByName": "Olga Sales"}]}}
    assert (await run(CARD, sales))["data"]["partners"]["nodes"] == [card]
    # Under an access grant too, where no row of ours is in reach.
    await granted(people["SUPPORT"], people["SUPERADMIN"], partner)
    assert (await run(CARD, people["SUPPORT"]))["data"]["partners"]["nodes"] == [card]


async def test_others_do_not_learn_who_works_here(owner: Connection, people: dict[str, Principal]) -> None:
    refused = (await run(COLLEAGUES, people["DEVELOPER"]))["errors"][0]
    assert refused["extensions"]["code"] == "FORBIDDEN"
    partner = await a_partner()
    tenant = Principal("partner", ROLES["PARTNER_OWNER"][1], partner_id=partner.id)
    for document in (COLLEAGUES, CARD):
        hidden = (await run(document, tenant))["errors"][0]
        assert hidden["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    async with transaction(tenant) as session:
        assert await session.scalar(select(func.colleague_name(people["SALES"].user_id))) is None
