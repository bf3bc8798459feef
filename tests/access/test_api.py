"""Access as programs and browsers meet it, over HTTP (ACC-1, ACC-7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from core import clock
from core.ids import encode_id
from services import demo
from web import auth

SESSION = "accessToken refreshToken viewer { kind email roles permissions } userErrors { code field message }"
SIGN_IN = f"mutation($input: SignInInput!) {{ signIn(input: $input) {{ {SESSION} }} }}"
REFRESH = f"mutation($input: SessionRefreshInput!) {{ sessionRefresh(input: $input) {{ {SESSION} }} }}"
VIEWER = "{ viewer { email permissions } }"
CREATE_TOKEN = """mutation($input: ApiTokenCreateInput!) {
    apiTokenCreate(input: $input) { token apiToken { id hint } userErrors { code field } } }"""
REVOKE_TOKEN = """mutation($input: ApiTokenRevokeInput!) {
    apiTokenRevoke(input: $input) { apiToken { revokedAt } userErrors { code field } } }"""
BLOCK = "mutation($input: UserInput!) { userBlock(input: $input) { user { status } userErrors { code field } } }"


@pytest.fixture(autouse=True)
def world(demo_world: str) -> str:
    return demo_world


class Caller:
    """Asks the endpoint, with a credential or without."""

    def __init__(self, http: httpx.AsyncClient, credential: str | None = None) -> None:
        self.http = http
        self.headers = {"authorization": f"Bearer {credential}"} if credential else {}

    async def ask(self, query: str, **variables: Any) -> httpx.Response:
        """The whole answer."""
        return await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=self.headers)

    async def data(self, query: str, **variables: Any) -> Any:
        """The one root value of an answer without errors."""
        answer = (await self.ask(query, **variables)).json()
        assert "errors" not in answer, answer["errors"]
        (value,) = answer["data"].values()
        return value


async def sign_in(http: httpx.AsyncClient, email: str, password: str) -> Any:
    return await Caller(http).data(SIGN_IN, input={"email": email, "password": password})


async def signed_in(http: httpx.AsyncClient, email: str, password: str) -> Caller:
    return Caller(http, (await sign_in(http, email, password))["accessToken"])


@pytest.mark.parametrize(("email", "role"), list(demo.DEMO_USERS.items()))
async def test_each_demo_user_signs_in_and_out(http: httpx.AsyncClient, world: str, email: str, role: str) -> None:
    found = await sign_in(http, email.upper(), world)
    assert found["userErrors"] == []
    assert found["viewer"]["roles"] == [role]
    caller = Caller(http, found["accessToken"])
    assert (await caller.data(VIEWER))["permissions"] == found["viewer"]["permissions"]
    assert await caller.data("mutation { signOut { userErrors { code } } }") == {"userErrors": []}
    assert (await caller.ask(VIEWER)).status_code == 401


async def test_refresh_rotates_and_reuse_ends_the_session(
    http: httpx.AsyncClient, world: str, owner: asyncpg.Connection
) -> None:
    first = await sign_in(http, "partner-owner@demo.test", world)
    # With the old access token along, as programs do: a partner's row-level security must not stand in the way.
    caller = Caller(http, first["accessToken"])
    second = await caller.data(REFRESH, input={"refreshToken": first["refreshToken"]})
    assert second["userErrors"] == []
    assert second["refreshToken"] != first["refreshToken"]
    again = await Caller(http).data(REFRESH, input={"refreshToken": first["refreshToken"]})
    assert again["userErrors"][0]["code"] == "INVALID_REFRESH_TOKEN"
    assert again["accessToken"] is None
    assert (await Caller(http, second["accessToken"]).ask(VIEWER)).status_code == 401
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'session.revoke'") == 1


async def test_a_signed_in_partner_may_sign_in_as_somebody_else(http: httpx.AsyncClient, world: str) -> None:
    partner = await signed_in(http, "partner-owner@demo.test", world)
    found = await partner.data(SIGN_IN, input={"email": "billing@demo.test", "password": world})
    assert found["viewer"]["roles"] == ["BILLING"]


@pytest.mark.parametrize("email", ["billing@demo.test", "nobody@demo.test"])
async def test_known_and_unknown_accounts_lock_alike(http: httpx.AsyncClient, world: str, email: str) -> None:
    codes = [(await sign_in(http, email, "wrong"))["userErrors"][0]["code"] for _ in range(7)]
    assert codes == ["INVALID_CREDENTIALS"] * 5 + ["LOCKED"] * 2
    told = (await sign_in(http, email, world))["userErrors"][0]
    assert told["code"] == "LOCKED"
    assert "seconds" in told["message"]
    assert (await sign_in(http, "sales@demo.test", world))["userErrors"] == [], "others are not locked with it"


@pytest.mark.parametrize("email", ["", "\0", "a\0@demo.test", "x" * 50_000, "🙂@demo.test"])
async def test_odd_credentials_are_wrong_credentials(http: httpx.AsyncClient, email: str) -> None:
    for password in ("", "\0", "y" * 50_000):
        answer = await Caller(http).ask(SIGN_IN, input={"email": email, "password": password})
        assert answer.status_code in (200, 400)
        assert "INTERNAL" not in answer.text


@pytest.mark.parametrize(
    "credential",
    ["x", "a.b.c", "kat_", "kat_" + "z" * 43, "kcs_x", "eyJhbGciOiJub25lIn0.eyJzaWQiOjF9.", "\xff\xfe", "é.é.é"],
)
async def test_garbage_is_refused_and_never_breaks(http: httpx.AsyncClient, credential: str) -> None:
    for headers in (
        {b"authorization": b"Bearer " + credential.encode("latin-1")},
        {b"cookie": b"kontora_session=" + credential.encode("latin-1")},
    ):
        answer = await http.post("/graphql", json={"query": VIEWER}, headers=httpx.Headers(list(headers.items())))
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_cookie_is_no_bearer_token(
    http: httpx.AsyncClient, world: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "TRUSTED_SECONDS", 2.0)
    page = await http.post(
        "/sign-in",
        data={"email": "billing@demo.test", "password": world},
        headers={"origin": "http://kontora.test", "sec-fetch-site": "same-origin"},
    )
    cookie = page.headers["set-cookie"].partition(";")[0]
    name, _, value = cookie.partition("=")
    assert "httponly" in page.headers["set-cookie"].lower()
    http.cookies.clear()
    seen = await http.post("/graphql", json={"query": VIEWER}, headers={"cookie": f"{name}={value}"})
    assert seen.json()["data"]["viewer"]["email"] == "billing@demo.test"
    assert (await Caller(http, value).ask(VIEWER)).status_code == 401


async def test_api_token_from_birth_to_revocation(
    http: httpx.AsyncClient, world: str, owner: asyncpg.Connection
) -> None:
    partner = await signed_in(http, "partner-owner@demo.test", world)
    until = (clock.now() + timedelta(days=3)).isoformat()
    wanted = {"name": "nightly", "permissions": ["invoice:read", "api_token:write"], "expiresAt": until}
    made = await partner.data(CREATE_TOKEN, input=wanted)
    assert made["userErrors"] == []
    assert made["token"].endswith(made["apiToken"]["hint"])
    script = Caller(http, made["token"])
    assert (await script.data(VIEWER))["permissions"] == ["api_token:write", "invoice:read"]
    assert (await script.data("{ invoices { totalCount } }"))["totalCount"] > 0
    refused = (await script.ask("{ wallets { totalCount } }")).json()
    assert refused["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    child = await script.data(
        "mutation($input: ApiTokenCreateInput!) { apiTokenCreate(input: $input) { token userErrors { code } } }",
        input={**wanted, "name": "child", "permissions": ["invoice:read"]},
    )
    assert child == {"token": None, "userErrors": [{"code": "INVALID"}]}
    assert await owner.fetchval("SELECT count(*) FROM api_tokens WHERE last_used_at IS NOT NULL") == 1
    beyond = await partner.data(CREATE_TOKEN, input={**wanted, "name": "b", "permissions": ["payment:detail"]})
    assert beyond["userErrors"] == [{"code": "INVALID", "field": ["input", "permissions"]}]
    stranger = await signed_in(http, "billing@demo.test", world)
    stolen = await stranger.data(REVOKE_TOKEN, input={"apiTokenId": made["apiToken"]["id"]})
    assert stolen["userErrors"][0]["code"] == "NOT_FOUND"
    revoked = await partner.data(REVOKE_TOKEN, input={"apiTokenId": made["apiToken"]["id"]})
    assert revoked["apiToken"]["revokedAt"] is not None
    assert (await script.ask(VIEWER)).status_code == 401


async def test_blocking_ends_sessions_and_tokens_at_once(
    http: httpx.AsyncClient, world: str, owner: asyncpg.Connection
) -> None:
    victim = await signed_in(http, "sales@demo.test", world)
    until = (clock.now() + timedelta(days=3)).isoformat()
    made = await victim.data(CREATE_TOKEN, input={"name": "x", "permissions": ["partner:read"], "expiresAt": until})
    user_id = await owner.fetchval("SELECT id FROM users WHERE email = 'sales@demo.test'")
    given = {"userId": encode_id("User", user_id)}
    denied = (await victim.ask(BLOCK, input=given)).json()
    assert denied["errors"][0]["extensions"] == {
        "code": "FORBIDDEN",
        "permission": "user:block",
        "field": "Mutation.userBlock",
    }
    assert await owner.fetchval("SELECT status FROM users WHERE id = $1", user_id) == "ACTIVE"
    admin = await signed_in(http, "superadmin@demo.test", world)
    assert (await admin.data(BLOCK, input=given))["user"] == {"status": "BLOCKED"}
    for credential in (victim, Caller(http, made["token"])):
        assert (await credential.ask(VIEWER)).status_code == 401
    assert (await sign_in(http, "sales@demo.test", world))["userErrors"][0]["code"] == "INVALID_CREDENTIALS"
    own = await owner.fetchval("SELECT id FROM users WHERE email = 'superadmin@demo.test'")
    last = await admin.data(BLOCK, input={"userId": encode_id("User", own)})
    assert last["userErrors"] == [{"code": "LAST_SUPERADMIN", "field": ["input", "userId"]}]


async def test_a_lost_role_is_lost_within_seconds(
    http: httpx.AsyncClient, world: str, owner: asyncpg.Connection
) -> None:
    caller = await signed_in(http, "billing@demo.test", world)
    assert "invoice:settle" in (await caller.data(VIEWER))["permissions"]
    await owner.execute("DELETE FROM user_roles USING users WHERE users.id = user_id AND email = 'billing@demo.test'")
    assert (await caller.data(VIEWER))["permissions"] == []
