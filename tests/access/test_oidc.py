"""Single sign-on in a browser, against a provider on a socket whose protocol is Authlib's (ACC-1)."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import pyotp
import pytest
import uvicorn

from core import clock
from core.database import transaction
from core.principal import SYSTEM
from core.settings import Settings, get_settings
from domain.factors import FRESH_SIGN_IN
from gateways.oidc import metadata
from gateways.oidc.accounts import Client, Person
from gateways.oidc.emulator import Lies, OidcEmulator
from services import access
from web import auth
from web.app import build

BASE = "http://kontora.test"
EMAIL = "ada@kontora.test"
PASSWORD = "correct horse battery"
ADA = Person("7", "Ada@Kontora.test", "Ada")


@dataclass
class Provider:
    """A provider and a browser that is known to it.

    Parameters:
        person: who sits at the browser.
    """

    emulator: OidcEmulator
    http: httpx.AsyncClient
    person: Person = ADA

    async def away(self, wanted: str = "/graphql") -> str:
        """Leave for the provider and sign in there; gives the address that it sends the browser to."""
        left = await self.http.get("/sign-in/oidc", params={"next": wanted})
        assert left.status_code == 303, left.text
        async with httpx.AsyncClient() as there:
            form = await there.get(left.headers["location"])
            assert "password" in form.text
            back = await there.post(left.headers["location"], data={"email": "x", "password": "y"})
        assert back.status_code == 302, back.text
        return str(back.headers["location"])

    async def sign_in(self, wanted: str = "/graphql") -> httpx.Response:
        """All of the way."""
        return await self.http.get(await self.away(wanted))

    async def refused(self, told: str, status: int = 403) -> None:
        """All of the way, to a clear page and no session."""
        answer = await self.sign_in()
        assert (answer.status_code, told in answer.text) == (status, True), answer.text
        assert "kontora_session=k" not in answer.headers["set-cookie"]


@pytest.fixture
async def provider(owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    """A provider that knows us, and a superadmin who has signed in nowhere yet."""
    listening = socket.create_server(("127.0.0.1", 0))
    issuer = f"http://127.0.0.1:{listening.getsockname()[1]}"
    for name, value in {
        "PUBLIC_URL": BASE,
        "OIDC_ISSUER": issuer,
        "OIDC_CLIENT_ID": "kontora:1",
        "OIDC_CLIENT_SECRET": "s3cr3t/+ ü",
    }.items():
        monkeypatch.setenv(f"KONTORA_{name}", value)
    get_settings.cache_clear()
    metadata.forget()
    monkeypatch.setattr(auth, "TRUSTED_SECONDS", 0.0)
    async with transaction(SYSTEM) as session:
        await access.create_superadmin(session, SYSTEM, email=EMAIL, name="Ada", password=PASSWORD)
    transport = httpx.ASGITransport(build(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as browser:
        found: Provider

        async def person_of(_email: str, _password: str) -> Person:
            return found.person

        client = Client("kontora:1", "s3cr3t/+ ü", f"{BASE}/sign-in/oidc/callback", f"{BASE}/sign-in")
        found = Provider(OidcEmulator(issuer, client, person_of), browser)
        server = uvicorn.Server(
            uvicorn.Config(found.emulator.app, log_level="warning", access_log=False, lifespan="off")
        )
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield found
        server.should_exit = True
        await serving


def setting(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"KONTORA_{name.upper()}", value)
    get_settings.cache_clear()


async def test_a_staff_user_is_linked_at_the_first_sign_in_and_known_by_subject_after(
    provider: Provider, owner: asyncpg.Connection
) -> None:
    assert "Single sign-on" in (await provider.http.get("/sign-in")).text
    back = await provider.sign_in("/?a=1")
    assert (back.status_code, back.headers["location"]) == (303, "/?a=1")
    assert EMAIL in (await provider.http.get("/")).text
    link = await owner.fetchrow("SELECT user_id, issuer, subject FROM oidc_identities")
    assert link is not None
    assert (link["issuer"], link["subject"]) == (provider.emulator.issuer, "7")
    provider.person = replace(ADA, email="ada@married.test")
    provider.http.cookies.clear()
    assert (await provider.sign_in()).status_code == 303
    assert EMAIL in (await provider.http.get("/")).text, "the subject counts, not the email"
    events = await owner.fetch("SELECT action, after FROM audit_events WHERE action IN ('oidc.link', 'user.sign_in')")
    assert [row["action"] for row in events] == ["oidc.link", "user.sign_in", "user.sign_in"]
    assert "OIDC" in events[1]["after"]
    assert provider.emulator.calls.count("configuration") == provider.emulator.calls.count("jwks") == 1, "kept"
    left = await provider.http.post("/sign-out", headers={"sec-fetch-site": "same-origin"})
    page = await provider.http.get(left.headers["location"])
    there = re.search(r'href="(http[^"]*end-session[^"]*)"', page.text)
    assert there is not None
    async with httpx.AsyncClient() as browser:
        ended = await browser.get(there[1].replace("&amp;", "&"))
    assert ended.headers["location"] == f"{BASE}/sign-in"
    assert (await provider.http.get("/")).headers["location"].startswith("/sign-in")


LOGOUT = "/sign-in/oidc/logout"
WRONG_LOGOUTS: tuple[dict[str, Any], ...] = (
    {"iss": "https://evil.test"},
    {"aud": "another"},
    {"iat": None},
    {"iat": 4_000_000_000},
    {"iat": 1},
    {"exp": None},
    {"exp": 1},
    {"jti": None},
    {"events": None},
    {"events": {"http://schemas.openid.net/event/other": {}}},
    {"events": {"http://schemas.openid.net/event/backchannel-logout": "x"}},
    {"nonce": "n"},
    {"sub": None},
    {"sub": ""},
    {"sid": 5},
)
LIES = (
    (Lies(claims={"nonce": "another"}), 403),
    (Lies(claims={"nonce": None}), 403),
    (Lies(claims={"aud": "another"}), 403),
    (Lies(claims={"aud": ["kontora:1", "another"]}), 403),
    (Lies(claims={"aud": ["another"], "azp": "kontora:1"}), 403),
    (Lies(claims={"azp": "another"}), 403),
    (Lies(claims={"iss": "https://evil.test"}), 403),
    (Lies(claims={"exp": 1}), 403),
    (Lies(claims={"iat": 4_000_000_000}), 403),
    (Lies(claims={"sub": ""}), 403),
    (Lies(claims={"sub": 7}), 403),
    (Lies(claims={"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), 403),
    (Lies(algorithm="none"), 403),
    (Lies(algorithm="HS256"), 403),
    (Lies(statuses=[401]), 403),
    (Lies(statuses=[503]), 502),
    (Lies(quiet=True, userinfo={"sub": "8"}), 403),
)


async def test_an_answer_that_does_not_hold_lets_nobody_in(provider: Provider) -> None:
    for lies, status in LIES:
        provider.emulator.lies = lies
        await provider.refused("does not hold" if status == 403 else "does not answer", status)
    provider.emulator.lies = Lies(claims={"aud": ["kontora:1", "another"], "azp": "kontora:1"}, quiet=True)
    assert (await provider.sign_in()).status_code == 303, "all was well but for the lies; the email comes from userinfo"


async def test_a_rotated_key_is_fetched_and_a_foreign_one_refused(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "ASKED_AGAIN_SECONDS", 0.0)
    assert (await provider.sign_in()).status_code == 303
    provider.emulator.rotate()
    assert (await provider.sign_in()).status_code == 303
    assert provider.emulator.calls.count("jwks") == 2
    signed = provider.emulator.key
    back = await provider.away()
    provider.emulator.rotate(signed.kid)
    assert (await provider.http.get(back)).status_code == 403


async def test_forged_tokens_do_not_have_the_provider_asked_for_its_keys_each_time(provider: Provider) -> None:
    assert (await provider.sign_in()).status_code == 303
    asked = provider.emulator.calls.count("jwks")
    for _ in range(3):
        provider.emulator.rotate()
        token = provider.emulator.logout_token(sub="7")
        assert (await provider.http.post(LOGOUT, data={"logout_token": token})).status_code == 400
    assert provider.emulator.calls.count("jwks") == asked


async def test_the_answer_belongs_to_one_browser_and_one_sign_in(provider: Provider) -> None:
    back = await provider.away()
    kept = dict(provider.http.cookies)
    provider.http.cookies.clear()
    assert "not begun in this browser" in (await provider.http.get(back)).text
    await provider.away()
    assert (await provider.http.get(back)).status_code == 400, "the state of an earlier sign-in"
    provider.http.cookies.clear()
    provider.http.cookies.update(kept)
    assert (await provider.http.get(back)).status_code == 303
    provider.http.cookies.clear()
    provider.http.cookies.update(kept)
    assert "does not hold" in (await provider.http.get(back)).text, "the code was used"
    other = await provider.away()
    code = parse_qs(urlsplit(back).query)["code"][0]
    mixed = re.sub(r"code=[^&]+", f"code={code}", other)
    assert (await provider.http.get(mixed)).status_code == 403
    provider.http.cookies.clear()
    provider.http.cookies["kontora_oidc"] = kept["kontora_oidc"][:-2] + "00"
    assert (await provider.http.get(back)).status_code == 400
    late = await provider.away()
    clock.travel(clock.now() + timedelta(minutes=10))
    assert (await provider.http.get(late)).status_code == 400


async def test_other_answers_of_the_redirect_are_pages(provider: Provider) -> None:
    for query in (
        "",
        "error=access_denied&state={state}",
        "state={state}",
        "code=x&state={state}&iss=https://evil.test",
    ):
        state = parse_qs(urlsplit(await provider.away()).query)["state"][0]
        answer = await provider.http.get(f"/sign-in/oidc/callback?{query.format(state=state)}")
        assert answer.status_code in (400, 403)
        assert 'role="alert"' in answer.text


async def test_who_is_let_in(provider: Provider, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    provider.person = replace(ADA, email_verified=False)
    await provider.refused("has not verified")
    provider.person = Person("8", "bob@kontora.test", "Bob")
    await provider.refused("no account")
    await owner.execute("INSERT INTO partners (name) VALUES ('p')")
    await owner.execute(
        "INSERT INTO users (kind, partner_id, email, full_name) SELECT 'PARTNER', id, 'bob@kontora.test', 'Bob' FROM partners"
    )
    await provider.refused("no account")
    setting(monkeypatch, oidc_email_domains="other.test, x.test")
    provider.person = ADA
    await provider.refused("domain")
    setting(monkeypatch, oidc_email_domains="Kontora.test")
    assert (await provider.sign_in()).status_code == 303
    provider.person = replace(ADA, subject="9")
    await provider.refused("another identity")
    await owner.execute("UPDATE users SET status = 'BLOCKED'")
    provider.person = ADA
    await provider.refused("blocked")
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'oidc.refuse'") == 2


async def test_accounts_are_made_where_allowed_without_password_and_role(
    provider: Provider, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting(monkeypatch, oidc_provision="true", oidc_email_domains="kontora.test")
    provider.person = Person("8", "bob@kontora.test", "Bob")
    ways = [await provider.away()]
    assert (await provider.http.get(ways[0])).status_code == 303
    bob = await owner.fetchrow("SELECT id, kind, full_name, password_hash FROM users WHERE email = 'bob@kontora.test'")
    assert bob is not None
    assert (bob["kind"], bob["full_name"], bob["password_hash"]) == ("STAFF", "Bob", None)
    assert "without a role" in (await provider.http.get("/")).text
    ours = {"sec-fetch-site": "same-origin"}
    scan = await provider.http.post("/second-factor/start", headers=ours)
    app = pyotp.TOTP(re.findall(r'class="secret">([A-Z2-7]+)<', scan.text)[0])
    await provider.http.post("/second-factor/confirm", data={"code": app.at(clock.now())}, headers=ours)
    clock.travel(clock.now() + FRESH_SIGN_IN)
    old = await provider.http.post("/second-factor/disable", data={"code": app.at(clock.now())}, headers=ours)
    assert "sign in again" in old.text
    asked = await provider.sign_in()
    assert asked.headers["location"].startswith("/sign-in/code")
    await provider.http.post("/sign-in/code", data={"code": app.at(clock.now())}, headers=ours)
    clock.travel(clock.now() + timedelta(seconds=30))
    gone = await provider.http.post("/second-factor/disable", data={"code": app.at(clock.now())}, headers=ours)
    assert gone.status_code == 303, "a fresh sign-in stands for the password that there is none of"
    for password in ("", "None", PASSWORD):
        form = {"email": "bob@kontora.test", "password": password}
        assert (await provider.http.post("/sign-in", data=form)).status_code == 422
    await owner.execute("INSERT INTO roles (name, description, kind) VALUES ('Cashier', 'Of partners.', 'PARTNER')")
    for role, status in (("NO_SUCH", 403), ("PARTNER_OWNER", 403), ("Cashier", 403), ("AUDITOR", 303)):
        setting(monkeypatch, oidc_role=role)
        provider.person = Person("10", "eve@kontora.test", "Eve")
        assert (await provider.sign_in()).status_code == status
    assert "AUDITOR" in (await provider.http.get("/")).text


async def test_first_sign_ins_at_once_make_one_account(
    provider: Provider, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting(monkeypatch, oidc_provision="true", oidc_email_domains="kontora.test")
    provider.person = Person("8", "bob@kontora.test", "Bob")
    ways = []
    for _ in range(4):
        back = await provider.away()
        ways.append((back, provider.http.cookies["kontora_oidc"]))
    provider.http.cookies.clear()
    done = await asyncio.gather(
        *(provider.http.get(back, headers={"cookie": f"kontora_oidc={cookie}"}) for back, cookie in ways)
    )
    assert [answer.status_code for answer in done] == [303] * 4
    assert await owner.fetchval("SELECT count(*) FROM users WHERE email = 'bob@kontora.test'") == 1
    assert await owner.fetchval("SELECT count(*) FROM oidc_identities") == 1


async def test_the_second_factor_is_asked_for_unless_the_provider_has_and_is_trusted(
    provider: Provider, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await owner.execute("UPDATE roles SET totp_required = true")
    ours = {"sec-fetch-site": "same-origin"}
    provider.person = replace(ADA, amr=("pwd", "mfa"))
    await provider.sign_in()
    assert (await provider.http.get("/")).headers["location"] == "/second-factor", "the provider is not trusted with it"
    setting(monkeypatch, oidc_trust_amr="true")
    await provider.sign_in()
    assert EMAIL in (await provider.http.get("/")).text
    scan = await provider.http.post("/second-factor/start", headers=ours)
    secret = re.search(r'class="secret">([A-Z2-7]+)<', scan.text)
    assert secret is not None
    app = pyotp.TOTP(secret[1])
    await provider.http.post("/second-factor/confirm", data={"code": app.at(clock.now())}, headers=ours)
    assert (await provider.sign_in()).headers["location"] == "/graphql"
    provider.person = replace(ADA, amr=("pwd", "sms"))
    asked = await provider.sign_in("/?b=2")
    assert asked.headers["location"] == "/sign-in/code?next=%2F%3Fb%3D2"
    clock.travel(clock.now() + timedelta(seconds=30))
    form = {"code": app.at(clock.now()), "next": "/?b=2"}
    assert (await provider.http.post("/sign-in/code", data=form, headers=ours)).headers["location"] == "/?b=2"
    kinds = await owner.fetch("SELECT DISTINCT method, second_factor FROM sessions WHERE revoked_at IS NULL")
    assert {(row["method"], row["second_factor"]) for row in kinds} == {("OIDC", True)}


@pytest.mark.parametrize(
    "values",
    [
        {"oidc_issuer": "https://idp.test"},
        {"oidc_provision": True},
        {"oidc_scopes": "email"},
    ],
)
def test_settings_that_are_half_or_open_to_all_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"OIDC_CLIENT_ID|OIDC_EMAIL_DOMAINS|openid"):
        Settings(**values)


async def test_a_provider_that_is_another_or_gone_is_said(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    provider.emulator.issuer = "https://another.test"
    assert (await provider.http.get("/sign-in/oidc")).status_code == 502
    setting(monkeypatch, oidc_issuer="http://127.0.0.1:9")
    gone = await provider.http.get("/sign-in/oidc")
    assert (gone.status_code, 'role="alert"' in gone.text) == (502, True)


async def test_whoever_signs_out_at_the_provider_is_signed_out_here(
    provider: Provider, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "ASKED_AGAIN_SECONDS", 0.0)

    async def told(token: str) -> int:
        answer = await provider.http.post(LOGOUT, data={"logout_token": token})
        assert answer.headers["cache-control"] == "no-store"
        return answer.status_code

    async def signed_in(sid: str | None) -> httpx.Cookies:
        provider.emulator.lies = Lies(claims={"sid": sid} if sid else {})
        provider.http.cookies.clear()
        assert (await provider.sign_in()).status_code == 303
        return httpx.Cookies(provider.http.cookies)

    async def lives(cookies: httpx.Cookies) -> bool:
        provider.http.cookies = cookies
        return (await provider.http.get("/")).status_code == 200

    laptop, phone, plain = await signed_in("one"), await signed_in("two"), await signed_in(None)
    provider.emulator.lies = Lies()
    password = await access_by_password(owner)
    for wrong in WRONG_LOGOUTS:
        assert await told(provider.emulator.logout_token(**{"sub": "7", **wrong})) == 400, wrong
    for algorithm in ("none", "HS256"):
        provider.emulator.lies = Lies(algorithm=algorithm)
        assert await told(provider.emulator.logout_token(sub="7")) == 400, algorithm
    provider.emulator.lies = Lies()
    for nonsense in ("", "x.y.z", "x" * 30_000):
        assert await told(nonsense) == 400
    assert [await lives(one) for one in (laptop, phone, plain)] == [True] * 3
    assert await told(provider.emulator.logout_token(sid="one", sub="8")) == 200, "nobody's session"
    token = provider.emulator.logout_token(sid="one")
    assert await told(token) == 200
    assert [await lives(one) for one in (laptop, phone, plain)] == [False, True, True]
    assert await told(token) == 400, "each counts once"
    # Kept back, a logout ends nothing that was begun after it.
    late = provider.emulator.logout_token(sub="7", iat=int(clock.now().timestamp()) - 300)
    assert await told(late) == 200
    assert await lives(phone)
    provider.emulator.rotate()
    assert await told(provider.emulator.logout_token(sub="7")) == 200
    assert [await lives(one) for one in (phone, plain)] == [False, False]
    assert await owner.fetchval("SELECT revoked_at FROM sessions WHERE id = $1", password) is None
    reasons = await owner.fetch("SELECT after FROM audit_events WHERE action = 'session.revoke'")
    assert len([row for row in reasons if "signed out at the provider" in row["after"]]) == 3


async def access_by_password(owner: asyncpg.Connection) -> int:
    """The number of a session that the provider has nothing to do with."""
    async with transaction() as session:
        found = await access.sign_in(session, email=EMAIL, password=PASSWORD)
    assert isinstance(found, access.SignedIn)
    return found.session.id


async def test_a_sign_in_that_waits_for_its_code_ends_with_the_session_at_the_provider(
    provider: Provider, owner: asyncpg.Connection
) -> None:
    await owner.execute(
        "INSERT INTO totp_factors (user_id, secret_encrypted, confirmed_at) SELECT id, 'x', now() FROM users"
    )
    provider.emulator.lies = Lies(claims={"sid": "one"})
    assert "/sign-in/code" in (await provider.sign_in()).headers["location"]
    told = {"logout_token": provider.emulator.logout_token(sid="one", sub=None)}
    assert (await provider.http.post(LOGOUT, data=told)).status_code == 200
    assert await owner.fetchval("SELECT used_at FROM sign_in_challenges") is not None
