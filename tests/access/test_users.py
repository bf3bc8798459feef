"""Users over HTTP: invited, granted, blocked, signed out; by staff, and by partners within their walls (ACC-1, ACC-2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from core import clock
from core.ids import encode_id
from policies.roles import PARTNER_PERMISSIONS
from tests.access.callers import INVITE, PASSWORD, RESET, SIGN_IN, Caller, id_of, letters, newest_token, signed_in

Connection = asyncpg.Connection
USER = "user { id version status roleNames directPermissions permissions passwordSetAt } userErrors { code field }"
ACCESS = f"mutation($input: UserAccessUpdateInput!) {{ userAccessUpdate(input: $input) {{ {USER} }} }}"
UPDATE = "mutation($input: UserUpdateInput!) { userUpdate(input: $input) { user { id } userErrors { code field } } }"
BLOCK = "mutation($input: UserInput!) { userBlock(input: $input) { userErrors { code field } } }"
UNBLOCK = "mutation($input: UserInput!) { userUnblock(input: $input) { userErrors { code field } } }"
LINK = "mutation($input: UserInput!) { userPasswordLinkSend(input: $input) { userErrors { code field } } }"
SIGN_OUT = "mutation($input: UserInput!) { userSignOut(input: $input) { userErrors { code field } } }"
VIEWER = "{ viewer { email permissions } }"
NEW = "anna.new@demo.test"


@pytest.fixture(autouse=True)
def world(demo_world: str) -> str:
    return demo_world


@pytest.fixture
async def admin(http: httpx.AsyncClient, world: str) -> Caller:
    return await signed_in(http, "superadmin@demo.test", world)


@pytest.fixture
async def partner_owner(http: httpx.AsyncClient, world: str) -> Caller:
    return await signed_in(http, "partner-owner@demo.test", world)


async def invitation(owner: Connection, *roles: str, **values: Any) -> dict[str, Any]:
    role_ids = [await id_of(owner, "roles", name=role) for role in roles]
    return {"email": NEW, "fullName": "Анна Новая", "roleIds": role_ids, **values}


async def state_of(owner: Connection) -> list[Any]:
    """All that says who may what."""
    tables = ("users", "roles", "role_permissions", "user_roles", "user_permissions", "sessions", "password_links")
    return [await owner.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]


async def test_rows_written_past_the_services_give_a_partners_user_nothing_more(
    http: httpx.AsyncClient, world: str, owner: Connection
) -> None:
    for table, key in (
        ("role_permissions (role_id", "roles WHERE name"),
        ("user_permissions (user_id", "users WHERE email"),
    ):
        name = "PARTNER_OWNER" if "roles" in key else "partner-owner@demo.test"
        await owner.execute(
            f"INSERT INTO {table}, permission) SELECT id, unnest($2::text[]) FROM {key} = $1",
            name,
            ["partner_document:write", "product:configure", "partner:all_rows"],
        )
    caller = await signed_in(http, "partner-owner@demo.test", world)
    assert not set((await caller.data(VIEWER))["permissions"]) - PARTNER_PERMISSIONS
    complete = (
        "mutation($input: PartnerDocumentCompleteInput!) { partnerDocumentComplete(input: $input) { __typename } }"
    )
    for source in (complete, "{ products { nodes { clientSecretMask } } }", "{ outsidePayments { totalCount } }"):
        assert set(await caller.codes(source, input={"id": "x"})) == {"GRAPHQL_VALIDATION_FAILED"}, source
    factors = await caller.data("{ users { nodes { secondFactorSince } } }")
    assert {node["secondFactorSince"] for node in factors["nodes"]} == {None}


async def test_invited_a_user_sets_a_password_once_and_signs_in(
    admin: Caller, http: httpx.AsyncClient, owner: Connection
) -> None:
    made = await admin.data(INVITE, input=await invitation(owner, "BILLING", email=NEW.upper(), locale="ru"))
    assert made["userErrors"] == []
    assert await Caller(http).codes(SIGN_IN, input={"email": NEW, "password": "the password of nobody"}) == [
        "INVALID_CREDENTIALS"
    ]
    (letter,) = await letters(owner, NEW)
    assert "задайте пароль" in letter
    token = await newest_token(owner, NEW)
    assert token not in str([tuple(row) for row in await owner.fetch("SELECT * FROM password_links, mails")])
    for weak in ("short", NEW, "password123456", "x" * 501):
        assert await Caller(http).codes(RESET, input={"token": token, "password": weak}) == ["WEAK_PASSWORD"]
    assert await Caller(http).codes(RESET, input={"token": token, "password": PASSWORD}) == []
    assert await Caller(http).codes(RESET, input={"token": token, "password": PASSWORD}) == ["INVALID_LINK"]
    anna = await signed_in(http, NEW, PASSWORD)
    assert "invoice:settle" in (await anna.data(VIEWER))["permissions"]
    actions = [row[0] for row in await owner.fetch("SELECT action FROM audit_events WHERE action LIKE 'user.%'")]
    assert {"user.invite", "user.join", "user.sign_in"} <= set(actions)
    audited = str([tuple(row) for row in await owner.fetch("SELECT before, after FROM audit_events")])
    assert NEW not in audited


async def test_a_bad_invitation_leaves_nothing(admin: Caller, owner: Connection) -> None:
    before = await state_of(owner)
    partner = encode_id("Partner", 1)
    for expected, given in (
        ("INVALID_VALUE", await invitation(owner, "BILLING", email="no address")),
        ("INVALID_VALUE", await invitation(owner, "BILLING", email="a,b@demo.test")),
        ("INVALID_VALUE", await invitation(owner, "BILLING", fullName=" ")),
        ("INVALID_VALUE", await invitation(owner, "BILLING", locale="de")),
        ("INVALID_VALUE", await invitation(owner)),
        ("TAKEN", await invitation(owner, "BILLING", email="Sales@demo.test")),
        ("UNKNOWN_PERMISSION", await invitation(owner, "BILLING", permissions=["no:such"])),
        ("ROLE_NOT_FOR_USER", await invitation(owner, "BILLING", partnerId=partner)),
        ("ROLE_NOT_FOR_USER", await invitation(owner, "PARTNER_OWNER")),
        ("NOT_FOR_PARTNERS", await invitation(owner, "PARTNER_MEMBER", partnerId=partner, permissions=["job:read"])),
        ("NOT_FOUND", await invitation(owner, "PARTNER_OWNER", partnerId=encode_id("Partner", 99))),
        ("NOT_FOUND", {**await invitation(owner), "roleIds": [encode_id("Role", 999)]}),
        ("INVALID_ID", {**await invitation(owner), "roleIds": [partner]}),
    ):
        assert await admin.codes(INVITE, input=given) == [expected], given
    assert await state_of(owner) == before
    assert await letters(owner, NEW) == []


async def test_links_end_by_time_by_a_newer_one_and_by_what_happens_to_the_user(
    admin: Caller, http: httpx.AsyncClient, owner: Connection
) -> None:
    made = await admin.data(INVITE, input=await invitation(owner, "SALES"))
    user = {"userId": made["user"]["id"]}

    async def good(token: str) -> bool:
        return await Caller(http).codes(RESET, input={"token": token, "password": "short"}) == ["WEAK_PASSWORD"]

    first = await newest_token(owner, NEW)
    assert await good(first)
    assert await admin.codes(LINK, input=user) == []
    second = await newest_token(owner, NEW)
    assert not await good(first)
    assert await good(second)
    assert await admin.codes(BLOCK, input=user) == []
    assert not await good(second)
    assert await admin.codes(LINK, input=user) == ["USER_BLOCKED"]
    assert await admin.codes(UNBLOCK, input=user) == []
    assert not await good(second)
    assert await admin.codes(LINK, input=user) == []
    third = await newest_token(owner, NEW)
    version = await owner.fetchval("SELECT version FROM users WHERE email = $1", NEW)
    assert await admin.codes(UPDATE, input={**user, "version": version, "email": "anna.newer@demo.test"}) == []
    assert not await good(third)
    assert "другой" not in (await letters(owner, NEW))[-1]
    assert "another one" in (await letters(owner, NEW))[-1], "the old address is told"
    assert await admin.codes(LINK, input=user) == []
    fourth = await newest_token(owner, "anna.newer@demo.test")
    clock.travel(clock.now() + timedelta(days=7, seconds=1))
    assert not await good(fourth)


async def test_a_partners_owner_manages_its_own_people_and_nobody_else(
    partner_owner: Caller, http: httpx.AsyncClient, owner: Connection
) -> None:
    assert await partner_owner.codes(INVITE, input=await invitation(owner, "PARTNER_MEMBER")) == []
    assert "as a user of" in (await letters(owner, NEW))[0]
    anna = {"userId": await id_of(owner, "users", email=NEW)}
    row = await owner.fetchrow("SELECT kind, partner_id FROM users WHERE email = $1", NEW)
    assert tuple(row) == ("PARTNER", 1)
    seen = await partner_owner.data("{ users(first: 50) { nodes { email roleNames } } }")
    assert {"email": NEW, "roleNames": ["PARTNER_MEMBER"]} in seen["nodes"]
    assert {user["email"] for user in seen["nodes"]} == {NEW, "partner-owner@demo.test", "partner-member@demo.test"}
    assert {role["name"] for role in (await partner_owner.data("{ roles { nodes { name } } }"))["nodes"]} == {
        "PARTNER_MEMBER",
        "PARTNER_OWNER",
    }
    promoted = {**anna, "version": 1, "roleIds": [await id_of(owner, "roles", name="PARTNER_OWNER")]}
    assert (await partner_owner.data(ACCESS, input=promoted))["user"]["roleNames"] == ["PARTNER_OWNER"]
    for mutation in (BLOCK, UNBLOCK, LINK, SIGN_OUT):
        assert await partner_owner.codes(mutation, input=anna) == []

    before = await state_of(owner)
    await owner.execute(
        "INSERT INTO users (kind, partner_id, email, full_name) VALUES ('PARTNER', 2, 'other@demo.test', 'O')"
    )
    others = [await id_of(owner, "users", email=email) for email in ("superadmin@demo.test", "other@demo.test")]
    for other in others:
        for mutation in (BLOCK, UNBLOCK, LINK, SIGN_OUT):
            assert await partner_owner.codes(mutation, input={"userId": other}) == ["NOT_FOUND"]
        assert await partner_owner.codes(UPDATE, input={"userId": other, "version": 1, "email": NEW}) == ["NOT_FOUND"]
        assert await partner_owner.codes(ACCESS, input={"userId": other, "version": 1, "roleIds": []}) == ["NOT_FOUND"]
    staff_role = {**anna, "version": 5, "roleIds": [await id_of(owner, "roles", name="AUDITOR")]}
    assert await partner_owner.codes(ACCESS, input={**staff_role, "version": 4}) == ["NOT_FOUND"]
    for given in (
        await invitation(owner, "AUDITOR", email="x@demo.test"),
        await invitation(owner, "PARTNER_OWNER", email="x@demo.test", partnerId=encode_id("Partner", 2)),
    ):
        assert await partner_owner.codes(INVITE, input=given) == ["NOT_FOUND"]
    assert await partner_owner.codes(ACCESS, input={**anna, "version": 4, "permissions": ["job:read"]}) == [
        "NOT_FOR_PARTNERS"
    ]
    await owner.execute("DELETE FROM users WHERE email = 'other@demo.test'")
    assert await state_of(owner) == before


async def test_no_partner_learns_which_addresses_are_known_elsewhere(
    admin: Caller, partner_owner: Caller, http: httpx.AsyncClient, world: str, owner: Connection
) -> None:
    await owner.execute("INSERT INTO partners (id, name) OVERRIDING SYSTEM VALUE VALUES (77, 'Other')")
    await owner.execute(
        "INSERT INTO users (kind, partner_id, email, full_name) VALUES ('PARTNER', 77, 'other@demo.test', 'O')"
    )
    known, shown = ["other@demo.test", "superadmin@demo.test"], []
    users = (
        "query($email: String!) { users(filter: { email: $email }) { nodes { id email fullName status version roleNames"
    )
    users += (
        " passwordSetAt lastSignInAt secondFactorSince allowedActions { action enabled } sessions { totalCount } } } }"
    )
    letter = "{ mails(first: 1) { nodes { template recipient locale status } } }"
    for email in (NEW, *known):
        given = await invitation(owner, "PARTNER_MEMBER", email=email)
        first = (await partner_owner.ask(INVITE, input=given)).json()["data"]
        again = await partner_owner.codes(INVITE, input=given)
        (user,) = (await partner_owner.data(users, email=email))["nodes"]
        assert first["userInvite"]["user"]["id"] == user.pop("id")
        told = [first["userInvite"]["userErrors"], again, user, await partner_owner.data(letter)]
        shown.append(str(told).replace(email, "x"))
        assert await admin.codes(INVITE, input={**given, "partnerId": encode_id("Partner", 77)}) == ["TAKEN"], (
            "we may know"
        )
    assert shown[0] == shown[1] == shown[2]
    for email in known:
        told_them = "".join(await letters(owner, email))
        assert "signs in to another account already" in told_them
        assert "token=" not in told_them
    assert "token=" in (await letters(owner, NEW))[-1]
    await signed_in(http, "superadmin@demo.test", world)

    # Another address for somebody who has not come yet answers alike too; whoever has come keeps the address.
    row = "SELECT id FROM users WHERE email = $1 AND partner_id = 1"
    anna = {"userId": encode_id("User", await owner.fetchval(row, NEW))}
    assert await partner_owner.codes(UPDATE, input={**anna, "version": 1, "email": "sales@demo.test"}) == []
    assert await partner_owner.codes(UPDATE, input={**anna, "version": 2, "email": known[0]}) == ["TAKEN"], "its own"
    assert await partner_owner.codes(UPDATE, input={**anna, "version": 2, "email": "free@demo.test"}) == []
    member = {"userId": await id_of(owner, "users", email="partner-member@demo.test"), "version": 1}
    await owner.execute("UPDATE users SET last_sign_in_at = now() WHERE email = 'partner-member@demo.test'")
    for email in ("free2@demo.test", "sales@demo.test"):
        assert await partner_owner.codes(UPDATE, input={**member, "email": email}) == ["EMAIL_FIXED"]

    # Once the address is free, the invitation that is sent again is good.
    await owner.execute("DELETE FROM users WHERE partner_id = 77")
    invited = {"userId": encode_id("User", await owner.fetchval(row, known[0]))}
    assert await partner_owner.codes(LINK, input=invited) == []
    assert (
        await Caller(http).codes(RESET, input={"token": await newest_token(owner, known[0]), "password": PASSWORD})
        == []
    )
    await signed_in(http, known[0], PASSWORD)

    for _ in range(10):
        told = await partner_owner.codes(LINK, input=anna)
    assert told == ["RATE_LIMITED"], "nobody tries addresses, or sends letters, without end"


async def test_a_partners_member_manages_nobody(http: httpx.AsyncClient, world: str, owner: Connection) -> None:
    member = await signed_in(http, "partner-member@demo.test", world)
    given = await invitation(owner, "PARTNER_MEMBER")
    assert set(await member.codes(INVITE, input=given)) == {"GRAPHQL_VALIDATION_FAILED"}, "there is no such door"


async def test_the_database_itself_keeps_staff_roles_from_partners_users(owner: Connection) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await owner.execute(
            """
            INSERT INTO user_roles (user_id, role_id, kind)
            SELECT users.id, roles.id, 'STAFF' FROM users, roles
            WHERE email = 'partner-member@demo.test' AND name = 'AUDITOR'
            """
        )


async def test_nobody_grants_or_manages_beyond_oneself(
    admin: Caller, http: httpx.AsyncClient, world: str, owner: Connection
) -> None:
    """A head of billing with all permissions over users, but only the business permissions of BILLING."""
    over_users = ["user:read", "user:invite", "user:write", "user:grant", "user:block", "user:password"]
    over_users += ["session:revoke", "api_token:revoke", "role:read", "role:write", "session:read"]
    head_id = await id_of(owner, "users", email="billing@demo.test")
    granted = await admin.data(ACCESS, input={"userId": head_id, "version": 1, "permissions": over_users})
    assert granted["userErrors"] == []
    assert granted["user"]["directPermissions"] == sorted(over_users)
    head = await signed_in(http, "billing@demo.test", world)
    before = await state_of(owner)
    superadmin = await id_of(owner, "users", email="superadmin@demo.test")
    session = encode_id("Session", await owner.fetchval("SELECT min(id) FROM sessions"))
    beyond = ["BEYOND_OWN_PERMISSIONS"]
    for mutation in (BLOCK, UNBLOCK, LINK, SIGN_OUT):
        assert await head.codes(mutation, input={"userId": superadmin}) == beyond
    assert await head.codes(UPDATE, input={"userId": superadmin, "version": 1, "email": NEW}) == beyond
    revoke = "mutation($input: SessionRevokeInput!) { userSessionRevoke(input: $input) { userErrors { code } } }"
    assert await head.codes(revoke, input={"sessionId": session}) == beyond
    own = {"userId": head_id, "version": 2}
    for given in (
        {**own, "roleIds": [await id_of(owner, "roles", name="SUPERADMIN")]},
        {**own, "permissions": [*over_users, "job:write"]},
    ):
        assert await head.codes(ACCESS, input=given) == beyond
    assert await head.codes(INVITE, input=await invitation(owner, "DEVELOPER")) == beyond
    assert await head.codes(INVITE, input=await invitation(owner, "BILLING", permissions=["job:read"])) == beyond
    role = "mutation($input: RoleCreateInput!) { roleCreate(input: $input) { userErrors { code } } }"
    copy = {"name": "Mine", "description": "x", "copyOfId": await id_of(owner, "roles", name="DEVELOPER")}
    assert await head.codes(role, input=copy) == beyond
    assert await state_of(owner) == before
    assert await head.codes(INVITE, input=await invitation(owner, "BILLING", permissions=["user:read"])) == []


async def test_an_api_token_manages_no_more_than_it_may(
    admin: Caller, http: httpx.AsyncClient, owner: Connection
) -> None:
    create = "mutation($input: ApiTokenCreateInput!) { apiTokenCreate(input: $input) { token userErrors { code } } }"
    until = (clock.now() + timedelta(days=3)).isoformat()
    scopes = ["user:write", "user:grant", "user:read", "role:read", "invoice:read"]
    made = await admin.data(create, input={"name": "users", "permissions": scopes, "expiresAt": until})
    script = Caller(http, made["token"])
    own = {"userId": await id_of(owner, "users", email="superadmin@demo.test"), "version": 1}
    assert await script.codes(UPDATE, input={**own, "email": NEW}) == ["BEYOND_OWN_PERMISSIONS"]
    member = {"userId": await id_of(owner, "users", email="partner-member@demo.test"), "version": 1}
    assert await script.codes(ACCESS, input={**member, "permissions": ["invoice:read"]}) == ["BEYOND_OWN_PERMISSIONS"]


async def test_the_last_superadmin_stays(admin: Caller, http: httpx.AsyncClient, owner: Connection) -> None:
    own = {"userId": await id_of(owner, "users", email="superadmin@demo.test")}
    assert await admin.codes(INVITE, input=await invitation(owner, "SUPERADMIN")) == []
    # Who was invited and has not come yet keeps nobody's house.
    assert await admin.codes(BLOCK, input=own) == ["LAST_SUPERADMIN"]
    assert await admin.codes(ACCESS, input={**own, "version": 1, "roleIds": []}) == ["LAST_SUPERADMIN"]
    token = await newest_token(owner, NEW)
    assert await Caller(http).codes(RESET, input={"token": token, "password": PASSWORD}) == []
    assert await admin.codes(ACCESS, input={**own, "version": 1, "roleIds": []}) == []
    assert (await admin.data(VIEWER))["permissions"] == []


async def test_two_people_who_edit_at_once_hear_of_each_other(admin: Caller, owner: Connection) -> None:
    user = {"userId": await id_of(owner, "users", email="sales@demo.test"), "version": 1}
    assert await admin.codes(UPDATE, input={**user, "fullName": "First"}) == []
    assert await admin.codes(UPDATE, input={**user, "fullName": "Second"}) == ["VERSION_CONFLICT"]
    assert await admin.codes(ACCESS, input={**user, "permissions": []}) == ["VERSION_CONFLICT"]


async def test_own_sessions_are_seen_and_ended(http: httpx.AsyncClient, world: str, owner: Connection) -> None:
    first, second, third = [await signed_in(http, "sales@demo.test", world) for _ in range(3)]
    sessions = "{ ownSessions { id current kind } }"
    seen = await first.data(sessions)
    assert [row["current"] for row in seen] == [False, False, True]
    revoke = "mutation($input: SessionRevokeInput!) { sessionRevoke(input: $input) { ended userErrors { code } } }"
    assert await first.codes(revoke, input={"sessionId": seen[1]["id"]}) == []
    assert (await second.ask(VIEWER)).status_code == 401
    stranger = await signed_in(http, "partner-member@demo.test", world)
    assert await stranger.codes(revoke, input={"sessionId": seen[0]["id"]}) == ["NOT_FOUND"]
    assert len(await stranger.data(sessions)) == 1
    assert (await first.data("mutation { signOutOthers { ended userErrors { code } } }"))["ended"] == 1
    assert (await third.ask(VIEWER)).status_code == 401
    assert len(await first.data(sessions)) == 1


async def test_ones_own_profile(http: httpx.AsyncClient, world: str, owner: Connection) -> None:
    update = "mutation($input: ViewerUpdateInput!) { viewerUpdate(input: $input) { userErrors { code field } } }"
    for email in ("partner-member@demo.test", "developer@demo.test"):
        caller = await signed_in(http, email, world)
        assert await caller.codes(update, input={"fullName": "Пётр", "locale": "ru"}) == []
        row = await owner.fetchrow("SELECT full_name, locale FROM users WHERE email = $1", email)
        assert tuple(row) == ("Пётр", "ru")
        assert await caller.codes(update, input={"locale": None}) == ["INVALID_VALUE"]


async def test_whoever_has_a_role_is_found_by_it(owner: Connection, admin: Caller, partner_owner: Caller) -> None:
    by_role = "query($role: ID!) { users(filter: { roleId: $role }) { nodes { email } } }"
    for role, emails in (("BILLING", ["billing@demo.test"]), ("AUDITOR", ["auditor@demo.test"])):
        told = await admin.data(by_role, role=await id_of(owner, "roles", name=role))
        assert [node["email"] for node in told["nodes"]] == emails
    told = await partner_owner.data(by_role, role=await id_of(owner, "roles", name="BILLING"))
    assert told["nodes"] == [], "no partner sees who has which role of ours"
