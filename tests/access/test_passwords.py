"""Passwords forgotten, set by a link, and changed; by pages and by the API (ACC-1)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import httpx
import pytest

from core import clock
from core.database import transaction
from services import access
from services.access import passwords
from tests.access.callers import PASSWORD, RESET, SIGN_IN, Caller, letters, newest_token, signed_in

Connection = asyncpg.Connection
EMAIL = "sales@demo.test"
REQUEST = "mutation($input: PasswordResetRequestInput!) { passwordResetRequest(input: $input) { userErrors { code } } }"
CHANGE = "mutation($input: PasswordChangeInput!) { passwordChange(input: $input) { userErrors { code field } } }"
VIEWER = "{ viewer { email } }"


@pytest.fixture(autouse=True)
def world(demo_world: str) -> str:
    """The demo users; nobody has asked for a link yet."""
    return demo_world


async def test_a_forgotten_password_is_set_by_pages(http: httpx.AsyncClient, world: str, owner: Connection) -> None:
    before = await signed_in(http, EMAIL, world)
    assert "/forgotten-password" in (await http.get("/sign-in")).text
    assert "<form" in (await http.get("/forgotten-password")).text
    known, unknown = [
        await http.post("/forgotten-password", data={"email": email}) for email in (EMAIL.upper(), "nobody@demo.test")
    ]
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    asked = await owner.fetch("SELECT payload FROM outbox_messages WHERE kind = 'password_reset.prepare'")
    assert len(asked) == 2, "both leave the same, for both to take as long"
    assert "demo.test" not in str(asked)

    token = await newest_token(owner, EMAIL)
    assert await letters(owner, "nobody@demo.test") == []
    page = await http.get("/set-password", params={"token": token})
    assert page.status_code == 200
    assert EMAIL in page.text
    assert "script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    given = {"token": token, "password": PASSWORD, "again": PASSWORD}
    elsewhere = await http.post("/set-password", data=given, headers={"sec-fetch-site": "cross-site"})
    assert elsewhere.status_code == 403
    for wrong in ({"again": "another"}, {"password": "password123456", "again": "password123456"}):
        refused = await http.post("/set-password", data={**given, **wrong})
        assert (refused.status_code, "problem" in refused.text) == (422, True)
    assert "The password is set" in (await http.post("/set-password", data=given)).text
    assert (await before.ask(VIEWER)).status_code == 401
    assert await Caller(http).codes(SIGN_IN, input={"email": EMAIL, "password": world}) == ["INVALID_CREDENTIALS"]
    assert await (await signed_in(http, EMAIL, PASSWORD)).data(VIEWER) == {"email": EMAIL}
    for answer in (await http.post("/set-password", data=given), await http.get("/set-password?token=x")):
        assert answer.status_code == 403
        assert "This link is over" in answer.text
    assert "was changed" in (await letters(owner, EMAIL))[-1]


async def test_links_are_few_short_lived_and_only_for_who_may_sign_in(
    http: httpx.AsyncClient, owner: Connection
) -> None:
    stranger = Caller(http)
    for _ in range(passwords.LETTERS_AN_HOUR + 1):
        assert await stranger.codes(REQUEST, input={"email": EMAIL}) == []
    assert len(await letters(owner, EMAIL)) == passwords.LETTERS_AN_HOUR
    token = await newest_token(owner, EMAIL)
    clock.travel(clock.now() + timedelta(hours=1, seconds=1))
    assert await stranger.codes(RESET, input={"token": token, "password": PASSWORD}) == ["INVALID_LINK"]
    blocked, shut_out = "auditor@demo.test", "partner-member@demo.test"
    await owner.execute("UPDATE users SET status = 'BLOCKED' WHERE email = $1", blocked)
    await owner.execute("UPDATE partners SET status = 'BLOCKED' WHERE id = 1")
    for email in (blocked, shut_out):
        await stranger.codes(REQUEST, input={"email": email})
        assert await letters(owner, email) == []
    codes = [await stranger.codes(REQUEST, input={"email": "nobody@demo.test"}) for _ in range(20)]
    assert codes[-1] == ["RATE_LIMITED"]


async def test_one_link_used_by_two_at_once_sets_one_password(http: httpx.AsyncClient, owner: Connection) -> None:
    await Caller(http).codes(REQUEST, input={"email": EMAIL})
    token = await newest_token(owner, EMAIL)

    async def use(password: str) -> bool:
        try:
            async with transaction() as session:
                await access.reset_password(session, token=token, password=password)
        except passwords.InvalidLink:
            return False
        return True

    assert sorted(await asyncio.gather(*(use(f"{PASSWORD} {number}") for number in range(4)))) == [False] * 3 + [True]


async def test_ones_own_password_is_changed_by_who_knows_it(
    http: httpx.AsyncClient, world: str, owner: Connection
) -> None:
    for email in (EMAIL, "partner-member@demo.test"):
        own, other = [await signed_in(http, email, world) for _ in range(2)]
        change = {"currentPassword": world, "newPassword": PASSWORD}
        for code, given in (
            ("INVALID_CREDENTIALS", {**change, "currentPassword": "wrong"}),
            ("WEAK_PASSWORD", {**change, "newPassword": "short"}),
            ("WEAK_PASSWORD", {**change, "newPassword": email}),
        ):
            assert await own.codes(CHANGE, input=given) == [code]
        assert await other.codes(CHANGE, input=change) == []
        assert (await own.ask(VIEWER)).status_code == 401
        assert await other.data(VIEWER) == {"email": email}
        assert await Caller(http).codes(SIGN_IN, input={"email": email, "password": PASSWORD}) == []
    stored = str([tuple(row) for row in await owner.fetch("SELECT * FROM idempotency_records, audit_events, mails")])
    assert PASSWORD not in stored


async def test_a_stolen_session_guesses_the_password_no_faster_than_a_stranger(
    http: httpx.AsyncClient, world: str
) -> None:
    thief = await signed_in(http, EMAIL, world)
    guess = {"currentPassword": "wrong", "newPassword": PASSWORD}
    codes = [(await thief.codes(CHANGE, input=guess))[0] for _ in range(6)]
    assert codes == ["INVALID_CREDENTIALS"] * 5 + ["LOCKED"]


async def test_a_lock_that_comes_while_a_password_is_changed_is_heeded(
    http: httpx.AsyncClient, world: str, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = await signed_in(http, EMAIL, world)

    async def slowly(_password: str) -> str:
        wrong = {"email": EMAIL, "password": "wrong"}
        assert [await Caller(http).codes(SIGN_IN, input=wrong) for _ in range(5)][-1] == ["INVALID_CREDENTIALS"]
        return "never written"

    monkeypatch.setattr(passwords, "hash_password", slowly)
    assert await own.codes(CHANGE, input={"currentPassword": world, "newPassword": PASSWORD}) == ["LOCKED"]
    assert "never written" not in str(await owner.fetch("SELECT password_hash FROM users"))


async def test_no_api_token_changes_a_password(http: httpx.AsyncClient, world: str) -> None:
    create = "mutation($input: ApiTokenCreateInput!) { apiTokenCreate(input: $input) { token userErrors { code } } }"
    until = (clock.now() + timedelta(days=3)).isoformat()
    person = await signed_in(http, EMAIL, world)
    made = await person.data(create, input={"name": "x", "permissions": ["viewer:self"], "expiresAt": until})
    script = Caller(http, made["token"])
    given = {"currentPassword": world, "newPassword": PASSWORD}
    assert await script.codes(CHANGE, input=given) == ["INVALID"]
