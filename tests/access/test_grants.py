"""Access grants: asked for, decided on by another, in force for a while, ended at once; what they open and log (ACC-5)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from core import clock
from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from core.request import RequestInfo, enter_request
from core.settings import get_settings
from domain.access_grants import OPEN, STEPS, AccessGrantNotOpen, AccessGrantStatus, AccessGrantStep, moved
from models import Partner
from policies.roles import ROLES
from services import access_grants
from tests.access.callers import letters
from tests.api import payload, run
from tests.factories.world import STAFF, a_partner

SUPPORT_ROLE = ROLES["SUPPORT"][1]
REQUEST = """mutation($input: AccessGrantRequestInput!) { accessGrantRequest(input: $input) {
    accessGrant { id status partnerName partner { id } expiresAt byPolicy } userErrors { code field } } }"""
APPROVE = """mutation($input: AccessGrantApproveInput!) { accessGrantApprove(input: $input) {
    accessGrant { id status inForce } userErrors { code } } }"""
DENY = """mutation($input: AccessGrantDenyInput!) { accessGrantDeny(input: $input) {
    accessGrant { status } userErrors { code } } }"""
REVOKE = """mutation($input: AccessGrantInput!) { accessGrantRevoke(input: $input) {
    accessGrant { status endedAt } userErrors { code } } }"""
USE = "mutation($input: AccessGrantInput!) { accessGrantUse(input: $input) { userErrors { code } } }"
NOTE = """mutation($input: PartnerNoteCreateInput!) { partnerNoteCreate(input: $input) {
    note { id body } userErrors { code } } }"""
SEEN = "{ partners { totalCount nodes { databaseId contacts { totalCount } } } }"


async def a_user(owner: asyncpg.Connection, role: str, number: int = 1) -> Principal:
    """One of our people with a session."""
    user_id = await owner.fetchval(
        "INSERT INTO users (kind, email, full_name, password_hash) VALUES ('STAFF', $1, 'X', 'x') RETURNING id",
        f"{role.lower()}{number}@demo.test",
    )
    session_id = await owner.fetchval(
        "INSERT INTO sessions (user_id, kind, expires_at, last_used_at) VALUES ($1, 'TOKEN', now(), now()) RETURNING id",
        user_id,
    )
    return Principal("staff", ROLES[role][1], (role,), user_id=user_id, session_id=session_id)


@pytest.fixture
async def partners(owner: asyncpg.Connection) -> list[Partner]:
    return [await a_partner(name=name) for name in ("Альфа Трейд", "Beta", "Gamma")]


@pytest.fixture
async def support(owner: asyncpg.Connection) -> Principal:
    return await a_user(owner, "SUPPORT")


@pytest.fixture
async def chief(owner: asyncpg.Connection) -> Principal:
    return await a_user(owner, "SUPERADMIN")


async def ask(support: Principal, partner: Partner, **values: Any) -> dict[str, Any]:
    asked = {"partnerId": encode_id("Partner", partner.id), "reason": "the wallet is empty", **values}
    return await payload(REQUEST, support, input=asked)


async def granted(support: Principal, chief: Principal, partner: Partner, **values: Any) -> str:
    """The id of a grant in force."""
    grant = (await ask(support, partner, **values))["accessGrant"]
    assert (await payload(APPROVE, chief, input={"id": grant["id"]}))["accessGrant"]["inForce"] is True
    found: str = grant["id"]
    return found


async def seen(principal: Principal) -> list[int]:
    """The partners in reach, by list and by count."""
    answer = (await run(SEEN, principal))["data"]["partners"]
    assert answer["totalCount"] == len(answer["nodes"])
    return sorted(int(node["databaseId"]) for node in answer["nodes"])


def test_every_step_is_in_the_table_or_refused() -> None:
    for status in AccessGrantStatus:
        for step in AccessGrantStep:
            if (status, step) in STEPS:
                assert status in OPEN
                assert moved(status, step) is STEPS[status, step]
            else:
                with pytest.raises(AccessGrantNotOpen):
                    moved(status, step)


async def test_a_grant_opens_one_partner_while_it_lasts(
    owner: asyncpg.Connection, partners: list[Partner], support: Principal, chief: Principal
) -> None:
    alpha, beta, _ = partners
    assert await seen(support) == []
    found = await run('{ accessGrantPartners(query: "трейд") { partnerId name } }', support)
    assert found["data"] == {
        "accessGrantPartners": [{"partnerId": encode_id("Partner", alpha.id), "name": "Альфа Трейд"}]
    }
    asked = await ask(support, alpha, ticket="SUP-7", minutes=30)
    assert asked["accessGrant"] == {
        "id": asked["accessGrant"]["id"],
        "status": "REQUESTED",
        "partnerName": "Альфа Трейд",
        "partner": None,
        "expiresAt": None,
        "byPolicy": False,
    }
    assert (await ask(support, alpha))["userErrors"][0]["code"] == "ACCESS_GRANT_NOT_OPEN"
    assert await seen(support) == []
    own = await payload(APPROVE, replace(chief, user_id=support.user_id), input={"id": asked["accessGrant"]["id"]})
    assert own["userErrors"] == [{"code": "OWN_ACCESS_GRANT"}]
    await payload(APPROVE, chief, input={"id": asked["accessGrant"]["id"]})
    assert await seen(support) == [alpha.id]
    denied = await run("query($id: ID!) { partner(id: $id) { name } }", support, id=encode_id("Partner", beta.id))
    assert denied["data"] == {"partner": None}
    # Its end counts when it is read, whatever was true at sign-in, and before any job says so.
    clock.travel(clock.now() + timedelta(minutes=31))
    assert await seen(support) == []
    async with transaction() as session:
        assert await access_grants.expire(session) == 1
    actions = [row["action"] for row in await owner.fetch("SELECT action FROM audit_events ORDER BY id")]
    assert actions[-3:] == ["access_grant.request", "access_grant.approve", "access_grant.expire"]


async def test_those_who_decide_and_those_who_asked_get_letters(
    owner: asyncpg.Connection,
    partners: list[Partner],
    support: Principal,
    chief: Principal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other, blocked = await a_user(owner, "SUPERADMIN", 2), await a_user(owner, "SUPERADMIN", 3)
    for person, role in ((support, "SUPPORT"), (chief, "SUPERADMIN"), (other, "SUPERADMIN"), (blocked, "SUPERADMIN")):
        await owner.execute(
            "INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM roles WHERE name = $2", person.user_id, role
        )
    await owner.execute("UPDATE users SET status = 'BLOCKED' WHERE id = $1", blocked.user_id)
    await owner.execute("UPDATE users SET locale = 'ru', last_sign_in_at = now() WHERE id = $1", other.user_id)
    alpha, beta, gamma = partners
    addresses = [f"{name}@demo.test" for name in ("superadmin1", "superadmin2", "superadmin3", "support1")]

    async def told() -> list[int]:
        return [len(await letters(owner, address)) for address in addresses]

    ids = [(await ask(support, partner))["accessGrant"]["id"] for partner in (alpha, beta, gamma)]
    assert await told() == [3, 3, 0, 0]
    first = (await letters(owner, addresses[0]))[0]
    assert f"X asks to look at the data of partner {alpha.id} for 60 minutes" in first
    assert "the wallet is empty" not in first
    assert "просит доступ" in (await letters(owner, addresses[1]))[0]
    await payload(APPROVE, chief, input={"id": ids[0]})
    await payload(DENY, chief, input={"id": ids[1], "note": "no"})
    await payload(REVOKE, chief, input={"id": ids[0]})
    # What one does oneself, and what a rule gives at once, needs no letter.
    await payload(REVOKE, support, input={"id": ids[2]})
    monkeypatch.setenv("KONTORA_ACCESS_GRANT_AUTO_MINUTES", "60")
    get_settings.cache_clear()
    assert (await ask(support, alpha, ticket="SUP-7"))["accessGrant"]["byPolicy"]
    assert await told() == [3, 3, 0, 3]
    said = [letter.split("\n")[0] for letter in await letters(owner, addresses[3])]
    assert [word in line for word, line in zip(("is given, until", "is denied.", "was ended."), said, strict=True)] == [
        True
    ] * 3
    # At most so many, and nobody of a request that was decided before a worker came to it.
    monkeypatch.setattr("services.access_grant_letters.MOST_APPROVERS", 1)
    await ask(support, beta)
    assert await told() == [3, 4, 0, 3], "who signed in last"
    await payload(DENY, chief, input={"id": (await ask(support, gamma))["accessGrant"]["id"]})
    assert await told() == [3, 4, 0, 4]
    assert await owner.fetchval("SELECT count(*) FROM mails WHERE partner_id IS NOT NULL") == 0, "no partner sees them"


async def test_the_second_wall_asks_the_grant_itself(
    owner: asyncpg.Connection, partners: list[Partner], support: Principal, chief: Principal
) -> None:
    await granted(support, chief, partners[0])
    await owner.execute("UPDATE access_grants SET expires_at = now()")
    async with transaction(support) as session:
        connection = await session.connection()
        await connection.exec_driver_sql("SELECT set_config('kontora.access_grant_id', '1', true)")
        assert (await connection.exec_driver_sql("SELECT count(*) FROM partners")).scalar() == 0


async def test_one_partner_at_a_time_and_the_session_chooses(
    partners: list[Partner], support: Principal, chief: Principal, owner: asyncpg.Connection
) -> None:
    first = await granted(support, chief, partners[0])
    second = await granted(support, chief, partners[1])
    assert await seen(support) == [], "two grants and no choice"
    assert (await payload(USE, support, input={"id": second}))["userErrors"] == []
    assert await seen(support) == [partners[1].id]
    enter_request(RequestInfo("r", access_grant=first))
    assert await seen(support) == [partners[0].id]
    enter_request(RequestInfo("r", access_grant=encode_id("Partner", 1)))
    assert (await run(SEEN, support))["errors"][0]["extensions"]["code"] == "INVALID_ID"
    enter_request(RequestInfo("r"))
    other = await a_user(owner, "SUPPORT", 2)
    assert (await payload(USE, other, input={"id": first}))["userErrors"] == [{"code": "NOT_FOUND"}]
    enter_request(RequestInfo("r", access_grant=first))
    assert await seen(other) == [], "a grant is its asker's alone"
    enter_request(RequestInfo("r"))


async def test_a_grant_is_for_reading_and_for_notes(
    partners: list[Partner], support: Principal, chief: Principal, owner: asyncpg.Connection
) -> None:
    await granted(support, chief, partners[0], ticket="SUP-7")
    note = {"partnerId": encode_id("Partner", partners[0].id), "body": "called back", "idempotencyKey": "n1"}
    assert (await payload(NOTE, support, input=note))["note"]["body"] == "called back"
    other = {**note, "partnerId": encode_id("Partner", partners[1].id), "idempotencyKey": "n2"}
    assert (await payload(NOTE, support, input=other))["userErrors"] == [{"code": "NOT_FOUND"}]
    # Whatever a custom role adds: without all rows, changes at partners are refused before they begin.
    rich = replace(support, permissions=support.permissions | {"partner:status", "dashboard:read"})
    change = """mutation($id: ID!) { partnerChangeStatus(input: {id: $id, status: BLOCKED, reason: "x", version: 1}) {
        userErrors { code } } }"""
    refused = await payload(change, rich, id=encode_id("Partner", partners[0].id))
    assert refused["userErrors"] == [{"code": "ACCESS_GRANT_READ_ONLY"}]
    total = await run("{ dashboard { partners } }", rich)
    assert total["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with owner.transaction():
            await owner.execute("SET LOCAL ROLE kontora_grantee")
            await owner.execute("UPDATE partners SET name = 'x'")


async def test_revoking_ends_it_at_once_by_either_side(
    partners: list[Partner], support: Principal, chief: Principal, owner: asyncpg.Connection
) -> None:
    grant = await granted(support, chief, partners[0])
    stranger = await a_user(owner, "AUDITOR")
    assert "FORBIDDEN" in str(await run(REVOKE, stranger, input={"id": grant}))
    assert (await payload(REVOKE, chief, input={"id": grant}))["accessGrant"]["status"] == "REVOKED"
    assert await seen(support) == []
    again = (await ask(support, partners[0]))["accessGrant"]["id"]
    assert (await payload(REVOKE, support, input={"id": again}))["accessGrant"]["status"] == "WITHDRAWN"
    assert (await payload(APPROVE, chief, input={"id": again}))["userErrors"] == [{"code": "ACCESS_GRANT_NOT_OPEN"}]
    mine = await granted(support, chief, partners[0])
    assert (await payload(REVOKE, support, input={"id": mine}))["accessGrant"]["status"] == "REVOKED"


async def test_of_two_who_decide_at_once_one_wins(
    partners: list[Partner], support: Principal, chief: Principal, owner: asyncpg.Connection
) -> None:
    second = await a_user(owner, "SUPERADMIN", 2)
    for partner in partners:
        grant = {"id": (await ask(support, partner))["accessGrant"]["id"]}
        results = await asyncio.gather(payload(APPROVE, chief, input=grant), payload(DENY, second, input=grant))
        codes = sorted(error["code"] for result in results for error in result["userErrors"])
        assert codes == ["ACCESS_GRANT_NOT_OPEN"]
    both = {"partnerId": encode_id("Partner", (await a_partner()).id), "reason": "asked twice at once"}
    asked = await asyncio.gather(*(payload(REQUEST, support, input=both) for _ in range(3)))
    assert sorted(bool(result["accessGrant"]) for result in asked) == [False, False, True]


async def test_a_policy_may_approve_short_requests_with_a_ticket(
    partners: list[Partner], support: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KONTORA_ACCESS_GRANT_AUTO_MINUTES", "30")
    monkeypatch.setenv("KONTORA_ACCESS_GRANT_AUTO_TICKETS", r"SUP-\d+")
    get_settings.cache_clear()
    long, odd, right = partners
    assert (await ask(support, long, ticket="SUP-1", minutes=60))["accessGrant"]["status"] == "REQUESTED"
    assert (await ask(support, odd, ticket="soon", minutes=15))["accessGrant"]["status"] == "REQUESTED"
    given = (await ask(support, right, ticket="SUP-2", minutes=15))["accessGrant"]
    assert (given["status"], given["byPolicy"]) == ("APPROVED", True)
    too_long = await ask(support, long, minutes=100_000)
    assert too_long["userErrors"] == [{"code": "INVALID_ACCESS_GRANT", "field": ["input", "minutes"]}]
    vague = await ask(support, await a_partner(), reason=" x ")
    assert vague["userErrors"][0]["code"] == "INVALID_ACCESS_REASON"


async def test_rows_of_all_partners_stay_in_reach_of_the_others(partners: list[Partner]) -> None:
    assert await seen(STAFF) == sorted(partner.id for partner in partners)
