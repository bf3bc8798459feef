"""Pages for browsers: who gets them, under which policy, and what their forms refuse."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from graphql import parse, validate
from starlette.applications import Starlette
from starlette.routing import Mount

import web.pages
from core.database import transaction
from core.principal import SYSTEM
from core.settings import get_settings
from planner.projection import required_permissions
from resolvers.root import schema
from services import access
from web.app import app, build
from web.assets import Assets
from web.body import FORM_LIMIT_BYTES, MOST_FIELDS

EMAIL = "ada@kontora.test"
PASSWORD = "correct horse battery"
EXAMPLES = Path(web.pages.__file__).parent / "graphiql" / "src" / "examples.js"
HTML = {"accept": "text/html"}


@pytest.fixture
async def browser(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on a house with one user."""
    async with transaction(SYSTEM) as session:
        await access.create_superadmin(session, SYSTEM, email=EMAIL, name="Ada", password=PASSWORD)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://kontora.test", headers=HTML
    ) as client:
        yield client


async def sign_in(browser: httpx.AsyncClient, password: str = PASSWORD, **more: str) -> httpx.Response:
    form = {"email": EMAIL, "password": password, **more}
    return await browser.post("/sign-in", data=form, headers={"sec-fetch-site": "same-origin"})


async def test_who_is_not_signed_in_is_led_to_the_form_and_back(browser: httpx.AsyncClient) -> None:
    away = await browser.get("/graphql")
    assert (away.status_code, away.headers["location"]) == (303, "/sign-in?next=/graphql")
    form = await browser.get(away.headers["location"])
    assert 'name="password"' in form.text
    back = await sign_in(browser, next="/graphql")
    assert (back.status_code, back.headers["location"]) == (303, "/graphql")
    cookie = back.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite" in cookie
    assert (await browser.get("/graphql")).status_code == 200


async def test_graphiql_asks_no_other_host(
    browser: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "index.html"
    built.write_text("<main id=graphiql>")
    monkeypatch.setattr(web.pages, "GRAPHIQL", built)
    await sign_in(browser)
    page = await browser.get("/graphql")
    assert page.text == built.read_text()
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "unsafe-eval" not in policy


async def test_a_page_that_is_not_built_says_how_to_build_it(
    browser: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.pages, "GRAPHIQL", tmp_path / "none.html")
    await sign_in(browser)
    assert "make graphiql" in (await browser.get("/graphql")).text


async def test_a_wrong_password_is_said_without_saying_which_part_was_wrong(browser: httpx.AsyncClient) -> None:
    refused = await sign_in(browser, password="wrong")
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    assert "set-cookie" not in refused.headers
    unknown = await browser.post("/sign-in", data={"email": "nobody@demo.test", "password": "wrong"})
    alert = re.compile(r'role="alert">([^<]*)<')
    assert alert.findall(unknown.text) == alert.findall(refused.text)


async def test_what_was_typed_is_shown_escaped(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/sign-in", data={"email": '"><script>', "password": "x", "next": '"><script>'})
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    "wanted", ["/" + "a" * 300, "//evil.test", "https://evil.test", "/\\evil.test", "javascript:alert(1)", ""]
)
async def test_signing_in_leads_nowhere_else(browser: httpx.AsyncClient, wanted: str) -> None:
    assert (await sign_in(browser, next=wanted)).headers["location"] == "/graphql"


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.test"}])
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
async def test_forms_of_other_sites_are_refused(browser: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
    form = {"email": EMAIL, "password": PASSWORD}
    answer = await browser.post(path, data=form, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_signing_out_ends_the_session(browser: httpx.AsyncClient) -> None:
    await sign_in(browser)
    kept = dict(browser.cookies)
    left = await browser.post("/sign-out", headers={"sec-fetch-site": "same-origin"})
    assert left.headers["location"] == "/sign-in"
    browser.cookies.update(kept)
    assert (await browser.get("/graphql")).status_code == 303


def test_the_examples_of_graphiql_fit_the_schema() -> None:
    examples = re.findall(r"needs: \[([^\]]*)\],\s*query: `([^`]+)`", EXAMPLES.read_text())
    assert len(examples) == EXAMPLES.read_text().count("query: `") > 0
    for needs, text in examples:
        document = parse(text)
        assert validate(schema._schema, document) == []
        needed = {permission for _, permission in required_permissions(schema._schema, document) if permission}
        assert set(re.findall(r'"([^"]+)"', needs)) == needed


async def test_the_front_door_says_who_one_is(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/")).headers["location"] == "/sign-in?next=/"
    await sign_in(browser)
    front = await browser.get("/")
    assert EMAIL in front.text
    assert "SUPERADMIN" in front.text


async def test_only_the_sandbox_lists_its_people(browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    form = await browser.get("/sign-in", params={"email": "billing@demo.test", "next": "/graphql"})
    assert 'name="email" value="billing@demo.test"' in form.text
    assert "partner-owner@demo.test" in form.text
    production = get_settings().model_copy(update={"mode": "production"})
    monkeypatch.setattr(web.pages, "get_settings", lambda: production)
    assert "demo.test" not in (await browser.get("/sign-in")).text


async def test_pages_by_https_ask_browsers_to_stay_there(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "strict-transport-security" not in (await browser.get("/sign-in")).headers
    monkeypatch.setenv("KONTORA_PUBLIC_URL", "https://kontora.example")
    get_settings.cache_clear()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(build()), base_url="https://kontora.example") as client:
        headers = (await client.get("/sign-in")).headers
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/pay/return/the-secret", "/pay/return/{order_id}"),
        ("/api/v1/usage/installs/7", "/api/v1/usage/installs/7"),
        ("/no/the-secret", "/other"),
    ],
)
async def test_lines_of_requests_hold_numbers_of_rows_and_no_other_values(
    browser: httpx.AsyncClient, capsys: pytest.CaptureFixture[str], path: str, shown: str
) -> None:
    await browser.get(f"{path}?token=the-secret")
    told = capsys.readouterr().out
    assert f"path={shown} " in told
    assert "secret" not in told


async def test_browsers_keep_files_with_hashed_names_only(
    browser: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index-BtbJSWca.css").write_text("a {}")
    mount = Starlette(routes=[Mount("/static/graphiql", Assets(directory=tmp_path))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=mount), base_url="http://kontora.test") as client:
        hashed = await client.get("/static/graphiql/assets/index-BtbJSWca.css")
    assert "immutable" in hashed.headers["cache-control"]
    assert (await browser.get("/static/page.css")).headers["cache-control"] == "no-cache"


async def test_an_unknown_address_is_a_page_for_people_and_a_line_for_programs(browser: httpx.AsyncClient) -> None:
    for_people = await browser.get("/nothing/here")
    assert (for_people.status_code, for_people.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "content-security-policy" in for_people.headers
    for_programs = await browser.get("/nothing/here", headers={"accept": "application/json"})
    assert (for_programs.status_code, for_programs.text) == (404, "Not Found")
    wrong_method = await browser.request("DELETE", "/sign-in")
    assert wrong_method.status_code == 405
    assert "GET" in wrong_method.headers["allow"]


async def test_a_form_that_is_too_large_or_none_is_refused(browser: httpx.AsyncClient) -> None:
    large = await sign_in(browser, next="a" * FORM_LIMIT_BYTES)
    assert (large.status_code, "text/html" in large.headers["content-type"]) == (413, True)
    for body in (b"email=\xff", b"email=%ff", b"&".join([b"email=a"] * (MOST_FIELDS + 1))):
        answer = await browser.post("/sign-in", content=body)
        assert (answer.status_code, "not a form" in answer.text) == (400, True), body


async def test_what_breaks_tells_its_request_id_and_only_the_log_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(_email: str, _password: str) -> None:
        raise RuntimeError("the secret detail")

    monkeypatch.setattr(web.pages, "start_cookie_session", fail)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kontora.test", headers=HTML) as client:
        answer = await client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.text
    assert "secret" not in answer.text
    told = capsys.readouterr().out
    assert told.count("RuntimeError: the secret detail") == 1
