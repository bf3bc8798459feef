"""The second factor in a browser without scripts (ACC-1)."""

from __future__ import annotations

import re
from datetime import timedelta

import asyncpg
import httpx
import pyotp
import pytest

from core import clock
from core.database import transaction
from core.principal import SYSTEM
from services import access
from web import auth

EMAIL = "ada@kontora.test"
PASSWORD = "correct horse battery"
OURS = {"sec-fetch-site": "same-origin", "accept": "text/html"}


@pytest.fixture
async def browser(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    """A browser on a house with one user."""
    monkeypatch.setattr(auth, "TRUSTED_SECONDS", 0.0)
    async with transaction(SYSTEM) as session:
        await access.create_superadmin(session, SYSTEM, email=EMAIL, name="Ada", password=PASSWORD)
    http.headers.update(OURS)
    return http


async def sign_in(browser: httpx.AsyncClient, wanted: str = "/graphql") -> httpx.Response:
    return await browser.post("/sign-in", data={"email": EMAIL, "password": PASSWORD, "next": wanted})


async def enrol(browser: httpx.AsyncClient) -> tuple[pyotp.TOTP, list[str]]:
    """Set an app up on the pages; gives it, and the recovery codes."""
    scan = await browser.post("/second-factor/start")
    assert 'src="data:image/svg+xml' in scan.text
    assert "script" not in scan.text
    secret = re.search(r'class="secret">([A-Z2-7]{32})<', scan.text)
    assert secret is not None
    app = pyotp.TOTP(secret[1])
    wrong = await browser.post("/second-factor/confirm", data={"code": "000000"})
    assert (wrong.status_code, 'role="alert"' in wrong.text, secret[1] in wrong.text) == (422, True, False)
    kept = await browser.post("/second-factor/confirm", data={"code": app.at(clock.now())})
    codes = re.findall(r"<code>([0-9A-Z-]{14})</code>", kept.text)
    assert len(codes) == 10
    return app, codes


async def test_a_browser_is_asked_for_the_code_on_a_second_page(browser: httpx.AsyncClient) -> None:
    await sign_in(browser)
    app, codes = await enrol(browser)
    assert "Recovery codes left" in (await browser.get("/second-factor")).text
    browser.cookies.clear()
    clock.travel(clock.now() + timedelta(seconds=30))
    asked = await sign_in(browser, "/?a=1")
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in/code?next=%2F%3Fa%3D1")
    assert "kontora_session" not in asked.headers["set-cookie"]
    form = await browser.get(asked.headers["location"])
    assert 'autocomplete="one-time-code"' in form.text
    assert "script-src 'self'" in form.headers["content-security-policy"]
    assert (await browser.get("/graphql")).headers["location"].startswith("/sign-in")
    wrong = await browser.post("/sign-in/code", data={"code": "000000", "next": "/?a=1"})
    assert (wrong.status_code, 'role="alert"' in wrong.text) == (422, True)
    foreign = await browser.post("/sign-in/code", data={"code": "1"}, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    done = await browser.post("/sign-in/code", data={"code": app.at(clock.now()), "next": "/?a=1"})
    assert (done.status_code, done.headers["location"]) == (303, "/?a=1")
    assert EMAIL in (await browser.get("/")).text
    browser.cookies.clear()
    await sign_in(browser)
    assert 'name="recovery_code"' in (await browser.get("/sign-in/code?with=recovery")).text
    away = await browser.post("/sign-in/code", data={"recovery_code": codes[3], "next": "https://evil.test"})
    assert away.headers["location"] == "/graphql"


async def test_whose_role_asks_for_it_is_led_to_the_set_up(
    browser: httpx.AsyncClient, owner: asyncpg.Connection
) -> None:
    await owner.execute("UPDATE roles SET totp_required = true")
    await sign_in(browser)
    for path in ("/", "/graphql"):
        assert (await browser.get(path)).headers["location"] == "/second-factor"
    assert "Your role asks" in (await browser.get("/second-factor")).text
    app, codes = await enrol(browser)
    assert EMAIL in (await browser.get("/")).text
    fresh = await browser.post("/second-factor/recovery-codes", data={"code": codes[0]})
    assert len(re.findall(r"<code>", fresh.text)) == 10
    gone = await browser.post("/second-factor/disable", data={"code": codes[1], "password": PASSWORD})
    assert gone.status_code == 422, "the old codes have ended"
    clock.travel(clock.now() + timedelta(seconds=30))
    gone = await browser.post("/second-factor/disable", data={"code": app.at(clock.now()), "password": PASSWORD})
    assert gone.status_code == 303
    assert (await browser.get("/")).headers["location"] == "/second-factor"


@pytest.mark.parametrize("path", ["start", "confirm", "recovery-codes", "disable"])
async def test_strangers_and_other_sites_set_up_nothing(browser: httpx.AsyncClient, path: str) -> None:
    assert (await browser.post(f"/second-factor/{path}")).headers["location"] == "/sign-in"
    await sign_in(browser)
    foreign = await browser.post(f"/second-factor/{path}", headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
