"""The second factor over GraphQL: enrolment, sign-in, replay, locks, recovery, resets, mandatory roles (ACC-1)."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from cli import factors
from core import clock
from core.ids import encode_id
from domain.access import CALLER_RULE
from domain.factors import CHALLENGE_LIFE, CHALLENGE_TRIES, ENROLMENT_LIFE, FRESH_SIGN_IN, RECOVERY_CODES
from tests.access.people import CONFIRM, START, VIEWER, Person

REGENERATE = """mutation($input: RecoveryCodesRegenerateInput!) {
    recoveryCodesRegenerate(input: $input) { recoveryCodes userErrors { code } } }"""
DISABLE = """mutation($input: TotpDisableInput!) {
    totpDisable(input: $input) { secondFactor { enrolledAt required mustEnroll } userErrors { code } } }"""
RESET = """mutation($input: TotpResetInput!) {
    totpReset(input: $input) { user { secondFactorSince } userErrors { code field } } }"""
REQUIRE = """mutation($input: RoleSetTotpRequiredInput!) {
    roleSetTotpRequired(input: $input) { role { totpRequired } userErrors { code } } }"""
OWN = "{ secondFactor { enrolledAt required mustEnroll recoveryCodesLeft } }"


@pytest.fixture(autouse=True)
def world(demo_world: str) -> str:
    return demo_world


@pytest.fixture
def person(http: httpx.AsyncClient, world: str) -> Any:
    """Makes people of the demo world."""
    return lambda name: Person(http, f"{name}@demo.test", world)


def codes(found: Any) -> list[str]:
    return [error["code"] for error in found["userErrors"]]


async def later(steps: int = 1) -> None:
    """Let the app show its next code."""
    clock.travel(clock.now() + timedelta(seconds=30 * steps))


@pytest.mark.parametrize("name", ["billing", "partner-owner"])
async def test_enrolled_once_then_asked_at_each_sign_in(person: Any, owner: asyncpg.Connection, name: str) -> None:
    one = person(name)
    await one.enrol()
    assert len(set(one.recovery_codes)) == RECOVERY_CODES
    own = await one.data(OWN)
    assert (own["required"], own["mustEnroll"], own["recoveryCodesLeft"]) == (False, False, RECOVERY_CODES)
    await later()
    begun = await one.begin()
    assert begun["totpRequired"] is True
    assert begun["accessToken"] is begun["refreshToken"] is begun["viewer"] is None
    done = await one.verify(begun["challenge"], code=one.code())
    assert done["totpRequired"] is False
    assert "viewer:self" in (await one.data(VIEWER))["permissions"]
    assert codes(await one.verify(begun["challenge"], code=one.code(1))) == ["INVALID_CHALLENGE"], "one session each"
    dump = str(
        [
            tuple(row)
            for table in ("totp_factors", "recovery_codes", "sign_in_challenges", "audit_events")
            for row in await owner.fetch(f"SELECT * FROM {table}")
        ]
    )
    for secret in (one.secret, begun["challenge"], *one.recovery_codes):
        assert secret not in dump
    actions = [row["action"] for row in await owner.fetch("SELECT action FROM audit_events ORDER BY id")]
    assert {"second_factor.enroll_start", "second_factor.enroll", "user.sign_in"} <= set(actions)


async def test_what_the_app_needs_is_told_once_in_three_forms(person: Any) -> None:
    one = person("billing")
    await one.sign_in()
    begun = await one.data(START)
    assert begun["otpauthUri"].startswith("otpauth://totp/Kontora:billing%40demo.test?secret=" + begun["secret"])
    assert begun["qrSvg"].startswith("data:image/svg+xml")
    assert base64.b64decode(begun["qrPng"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    again = await one.data(START)
    assert again["secret"] != begun["secret"], "what was begun before has ended"
    one.secret = begun["secret"]
    assert codes(await one.data(CONFIRM, input={"code": one.code()})) == ["INVALID_CODE"]
    one.secret = again["secret"]
    clock.travel(clock.now() + ENROLMENT_LIFE)
    assert codes(await one.data(CONFIRM, input={"code": one.code()})) == ["TOTP_NOT_ENROLLED"]


async def test_a_code_is_good_once_even_for_racing_sign_ins(person: Any, owner: asyncpg.Connection) -> None:
    one = person("billing")
    await one.enrol()
    assert codes(await one.verify((await one.begin())["challenge"], code=one.code())) == ["INVALID_CODE"], "spent"
    await later()
    begun = [(await one.begin())["challenge"] for _ in range(5)]
    code = one.code()
    done = await asyncio.gather(*(one.verify(challenge, code=code) for challenge in begun))
    assert sum(answer["accessToken"] is not None for answer in done) == 1
    with pytest.raises(asyncpg.CheckViolationError, match="is spent"):
        await owner.execute("UPDATE totp_factors SET last_step = last_step")


async def test_wrong_codes_lock_whatever_the_password_does(person: Any, owner: asyncpg.Connection) -> None:
    one = person("billing")
    await one.enrol()
    await later()
    told = []
    for _ in range(CALLER_RULE.free_attempts + 1):
        # A right password each time: it must not clear the count of wrong codes.
        told += codes(await one.verify((await one.begin())["challenge"], code="000000"))
    assert told == ["INVALID_CODE"] * CALLER_RULE.free_attempts + ["LOCKED"]
    assert codes(await one.verify((await one.begin())["challenge"], code=one.code())) == ["LOCKED"]
    assert codes(await one.verify((await one.begin())["challenge"], recoveryCode=one.recovery_codes[0])) == ["LOCKED"]
    clock.travel(clock.now() + CALLER_RULE.first_lock + timedelta(seconds=1))
    assert codes(await one.verify((await one.begin())["challenge"], code=one.code())) == []
    counted = await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'second_factor.refuse'")
    assert counted == CALLER_RULE.free_attempts


async def test_a_challenge_ends(person: Any, owner: asyncpg.Connection) -> None:
    one = person("billing")
    await one.enrol()
    await later()
    old = (await one.begin())["challenge"]
    clock.travel(clock.now() + CHALLENGE_LIFE)
    assert codes(await one.verify(old, code=one.code())) == ["INVALID_CHALLENGE"]
    for garbage in ("", "x" * 10_000, "kch_" + "z" * 43):
        assert codes(await one.verify(garbage, code=one.code())) == ["INVALID_CHALLENGE"]
    tried = (await one.begin())["challenge"]
    await owner.execute("UPDATE sign_in_challenges SET failures = $1", CHALLENGE_TRIES)
    assert codes(await one.verify(tried, code=one.code())) == ["INVALID_CHALLENGE"]
    blocked = (await one.begin())["challenge"]
    await owner.execute("UPDATE users SET status = 'BLOCKED' WHERE email = 'billing@demo.test'")
    assert codes(await one.verify(blocked, code=one.code())) == ["INVALID_CHALLENGE"]
    await owner.execute("UPDATE users SET status = 'ACTIVE'")
    assert codes(await one.verify(blocked, code=one.code(), recoveryCode="x")) == ["ONE_CODE"]
    assert codes(await one.verify(blocked)) == ["ONE_CODE"]


async def test_recovery_codes_are_good_once_and_made_anew(person: Any) -> None:
    one = person("sales")
    await one.enrol()
    spent = one.recovery_codes[0]
    begun = [(await one.begin())["challenge"] for _ in range(3)]
    done = await asyncio.gather(*(one.verify(challenge, recoveryCode=spent.lower()) for challenge in begun))
    assert sum(answer["accessToken"] is not None for answer in done) == 1
    assert (await one.data(OWN))["recoveryCodesLeft"] == RECOVERY_CODES - 1
    assert codes(await one.data(REGENERATE, input={"code": "123456"})) == ["INVALID_CODE"]
    await later()
    fresh = await one.data(REGENERATE, input={"code": one.code()})
    assert not set(fresh["recoveryCodes"]) & set(one.recovery_codes)
    old = await one.verify((await one.begin())["challenge"], recoveryCode=one.recovery_codes[1])
    assert codes(old) == ["INVALID_CODE"]
    assert codes(await one.verify((await one.begin())["challenge"], recoveryCode=fresh["recoveryCodes"][0])) == []


async def test_taking_it_away_needs_password_and_code(person: Any, world: str, owner: asyncpg.Connection) -> None:
    one = person("sales")
    await one.enrol()
    await later()
    for given, told in (
        ({"password": "wrong", "code": one.code()}, "INVALID_CREDENTIALS"),
        ({"code": one.code()}, "INVALID_CREDENTIALS"),
        ({"password": world, "code": "000000"}, "INVALID_CODE"),
    ):
        assert codes(await one.data(DISABLE, input=given)) == [told]
    assert await owner.fetchval("SELECT count(*) FROM totp_factors") == 1
    gone = await one.data(DISABLE, input={"password": world, "code": one.code()})
    assert gone["secondFactor"] == {"enrolledAt": None, "required": False, "mustEnroll": False}
    assert await owner.fetchval("SELECT count(*) FROM recovery_codes") == 0
    assert (await one.sign_in())["totpRequired"] is False
    assert codes(await one.data(DISABLE, input={"password": world, "code": "000000"})) == ["TOTP_NOT_ENROLLED"]


async def test_enrolment_needs_a_fresh_sign_in_and_ends_other_sessions(person: Any, http: httpx.AsyncClient) -> None:
    thief = person("sales")
    await thief.sign_in()
    # Old sessions are renewed like others, so it is their beginning that counts.
    clock.travel(clock.now() + FRESH_SIGN_IN - timedelta(seconds=60))
    one = person("sales")
    await one.sign_in()
    clock.travel(clock.now() + timedelta(seconds=60))
    assert codes(await thief.data(START)) == ["SIGN_IN_AGAIN"]
    await one.enrol()
    assert (await thief.ask(VIEWER)).status_code == 401
    assert codes(await one.data(START)) == ["TOTP_ENROLLED"]
    made = await one.data(
        "mutation($input: ApiTokenCreateInput!) { apiTokenCreate(input: $input) { token } }",
        input={
            "name": "x",
            "permissions": ["second_factor:own"],
            "expiresAt": (clock.now() + timedelta(days=1)).isoformat(),
        },
    )
    script = Person(http, "", "", headers={"authorization": f"Bearer {made['token']}"})
    assert codes(await script.data(START)) == ["SIGN_IN_AGAIN"]


async def test_staff_who_may_reset_others_but_not_those_beyond_them(person: Any, owner: asyncpg.Connection) -> None:
    one, boss, helper = person("sales"), person("superadmin"), person("billing")
    await one.enrol()
    await boss.enrol()
    keys = {
        row["email"].partition("@")[0]: encode_id("User", row["id"])
        for row in await owner.fetch("SELECT id, email FROM users")
    }
    await helper.sign_in()
    wanted = {"userId": keys["sales"], "reason": "lost phone"}
    refused = (await helper.ask(RESET, input=wanted)).json()
    assert refused["errors"][0]["extensions"]["permission"] == "second_factor:reset"
    await owner.execute(
        "INSERT INTO user_permissions (user_id, permission) SELECT id, unnest(ARRAY['second_factor:reset', 'user:read'])"
        " FROM users WHERE email = 'billing@demo.test'"
    )
    for name, code in (
        ("superadmin", "BEYOND_OWN_PERMISSIONS"),
        ("billing", "CONFLICT"),
        ("auditor", "BEYOND_OWN_PERMISSIONS"),
    ):
        assert codes(await helper.data(RESET, input={**wanted, "userId": keys[name]})) == [code]
    assert codes(await helper.data(RESET, input={**wanted, "userId": encode_id("User", 10**9)})) == ["NOT_FOUND"]
    assert await owner.fetchval("SELECT count(*) FROM totp_factors") == 2, "nothing was changed by those"
    assert codes(await boss.data(RESET, input={**wanted, "reason": " "})) == ["INVALID"]
    done = await boss.data(RESET, input=wanted)
    assert (done["user"], codes(done)) == ({"secondFactorSince": None}, [])
    assert (await one.ask(VIEWER)).status_code == 401
    assert (await one.begin())["totpRequired"] is False
    event = await owner.fetchrow("SELECT actor_user_id, after FROM audit_events WHERE action = 'second_factor.reset'")
    assert event is not None
    assert "lost phone" in event["after"]
    # Nobody is above the last superadmin: the command line helps, as the operator's.
    await factors._reset(" Superadmin@demo.test", "lost phone")
    assert await owner.fetchval("SELECT count(*) FROM totp_factors") == 0
    assert (await boss.ask(VIEWER)).status_code == 401


async def test_a_role_may_ask_for_it_and_opens_nothing_else_before(
    person: Any, world: str, owner: asyncpg.Connection
) -> None:
    one, old, boss = person("sales"), person("sales"), person("superadmin")
    await old.sign_in()
    await boss.sign_in()
    role = encode_id("Role", await owner.fetchval("SELECT id FROM roles WHERE name = 'SALES'"))
    refused = (await old.ask(REQUIRE, input={"roleId": role, "required": False})).json()
    assert refused["errors"][0]["extensions"]["permission"] == "role:write"
    done = await boss.data(REQUIRE, input={"roleId": role, "required": True})
    assert done["role"] == {"totpRequired": True}
    await one.sign_in()
    for session in (old, one):
        seen = await session.data(VIEWER)
        assert seen == {"permissions": ["second_factor:own", "viewer:self"], "mustEnrollTotp": True}
        denied = (await session.ask("{ partners { totalCount } }")).json()
        assert denied["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    found = await one.begin()
    assert found["viewer"]["mustEnrollTotp"] is True
    assert found["viewer"]["permissions"] == ["second_factor:own", "viewer:self"]
    await one.enrol()
    assert (await one.data(VIEWER))["mustEnrollTotp"] is False
    assert (await one.data("{ partners { totalCount } }"))["totalCount"] > 0
    assert (await old.ask(VIEWER)).status_code == 401
    await later()
    gone = await one.data(DISABLE, input={"password": world, "code": one.code()})
    assert gone["secondFactor"] == {"enrolledAt": None, "required": True, "mustEnroll": True}
    assert (await one.data(VIEWER))["mustEnrollTotp"] is True
    await boss.data(REQUIRE, input={"roleId": role, "required": False})
    assert "partner:read" in (await one.data(VIEWER))["permissions"]
