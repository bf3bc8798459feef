"""GraphQL over HTTP as its specification says, and nothing but typed answers to bad input (API-3)."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from core.rates import SMALLEST_BURST_CALLS, Rates
from core.settings import get_settings
from tests.web.conftest import EMAIL, PASSWORD

RESPONSE_JSON = "application/graphql-response+json"
VIEWER = "{ viewer { email } }"


async def post(http: httpx.AsyncClient, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await http.post("/graphql", content=content, headers={"content-type": "application/json", **headers})


async def test_answers_in_the_media_type_asked_for(http: httpx.AsyncClient) -> None:
    for accept, expected in (
        (RESPONSE_JSON, RESPONSE_JSON),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        (f"{RESPONSE_JSON}, application/json;q=0.9", RESPONSE_JSON),
        (f"{RESPONSE_JSON};q=0.1, application/json", "application/json"),
    ):
        answer = await post(http, {"query": VIEWER}, accept=accept)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == f"{expected}; charset=utf-8"
        assert answer.json() == {"data": {"viewer": None}, "extensions": {"cost": 2}}
    refused = await post(http, {"query": VIEWER}, accept="text/csv")
    assert refused.status_code == 406


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ viewer { } }", "GRAPHQL_PARSE_FAILED"),
        ("query A { viewer { kind } } query B { viewer { kind } }", "UNKNOWN_OPERATION"),
        ("subscription { x }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_request_errors(http: httpx.AsyncClient, query: str, code: str) -> None:
    for accept, status in ((RESPONSE_JSON, 400), ("application/json", 200)):
        answer = await post(http, {"query": query}, accept=accept)
        assert answer.status_code == status
        assert answer.json()["errors"][0]["extensions"]["code"] == code
        assert "data" not in answer.json()
        assert answer.json()["extensions"]["requestId"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"1",
        b'"x"',
        b"[]",
        b"[{}]",
        b"{}",
        b"",
        b"{",
        b"\xff\xfe",
        b'{"query": 1}',
        b'{"query": ""}',
        b'{"query": "{ viewer { kind } }", "variables": []}',
        b'{"query": "{ viewer { kind } }", "operationName": 1}',
        b'{"query": "{ viewer { kind } }", "extensions": 7}',
        b'{"query": "{ viewer { kind } }", "variables": ' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"query": "{ viewer { kind } }", "variables": {"a": ' + b"9" * 5_000 + b"}}",
        b'{"query": "\\ud800"}',
    ],
    ids=range(18),
)
async def test_bodies_that_are_no_requests(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await post(http, body)
    assert answer.status_code in (200, 400)
    assert answer.json()["errors"] or answer.json()["data"] == {"viewer": None}


async def test_body_limit(http: httpx.AsyncClient) -> None:
    answer = await post(http, b'{"query": "' + b" " * 2_000_000 + b'"}')
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["extensions"]["code"] == "BODY_TOO_LARGE"


async def test_other_media_types_and_methods_are_refused(http: httpx.AsyncClient) -> None:
    assert (await http.post("/graphql", content=b"{}", headers={"content-type": "text/plain"})).status_code == 415
    assert (await http.post("/graphql", data={"query": VIEWER})).status_code == 415
    answer = await http.put("/graphql", json={"query": VIEWER})
    assert answer.status_code == 405


async def test_get_reads_and_never_changes(http: httpx.AsyncClient) -> None:
    read = await http.get("/graphql", params={"query": VIEWER}, headers={"accept": RESPONSE_JSON})
    assert read.json()["data"] == {"viewer": None}
    change = 'mutation { signIn(input: {email: "a", password: "b"}) { accessToken } }'
    refused = await http.get("/graphql", params={"query": change}, headers={"accept": RESPONSE_JSON})
    assert refused.status_code == 405
    assert refused.headers["allow"] == "GET, POST"


async def test_variables_are_checked(http: httpx.AsyncClient, token: str) -> None:
    query = "query($n: Int!) { partners(first: $n) { nodes { name } } }"
    for variables in ({"n": "x"}, {"n": 1.5}, {}, {"n": None}, {"n": 10**20}):
        answer = await post(
            http, {"query": query, "variables": variables}, authorization=f"Bearer {token}", accept=RESPONSE_JSON
        )
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("value", ["Bearer x", "Bearer kat_nope", "Basic abc", "Bearer", "Bearer " + "x" * 5_000])
async def test_wrong_credentials(http: httpx.AsyncClient, value: str) -> None:
    answer = await post(http, {"query": VIEWER}, authorization=value)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_sign_in_and_out(http: httpx.AsyncClient, token: str) -> None:
    source = """mutation($input: SignInInput!) { signIn(input: $input) {
        accessToken refreshToken expiresAt viewer { email roles } userErrors { code field } } }"""
    wrong = await post(http, {"query": source, "variables": {"input": {"email": EMAIL, "password": "no"}}})
    assert wrong.json()["data"]["signIn"]["userErrors"] == [{"code": "INVALID_CREDENTIALS", "field": ["input"]}]
    assert wrong.json()["data"]["signIn"]["viewer"] is None
    right = await post(http, {"query": source, "variables": {"input": {"email": EMAIL, "password": PASSWORD}}})
    payload = right.json()["data"]["signIn"]
    assert payload["viewer"] == {"email": EMAIL, "roles": ["SUPERADMIN"]}
    signed = {"authorization": f"Bearer {payload['accessToken']}"}
    own = await post(http, {"query": "{ viewer { user { fullName sessions { totalCount } } } }"}, **signed)
    assert own.json()["data"]["viewer"]["user"] == {"fullName": "Anna", "sessions": {"totalCount": 2}}
    out = await post(http, {"query": "mutation { signOut { userErrors { code } } }"}, **signed)
    assert out.json()["data"] == {"signOut": {"userErrors": []}}


async def test_cookies_need_the_csrf_header_from_elsewhere(http: httpx.AsyncClient) -> None:
    elsewhere = {"cookie": "kontora_session=x", "sec-fetch-site": "cross-site"}
    assert (await post(http, {"query": VIEWER}, **elsewhere)).status_code in (401, 403)
    assert (await http.get("/graphql", params={"query": VIEWER}, headers={"cookie": "other=1"})).status_code == 403


async def test_failures_of_ours_are_masked(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("planner.run.Planner._query", broken)
    answer = await post(http, {"query": VIEWER})
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert answer.json()["errors"][0]["extensions"]["code"] == "INTERNAL"


async def test_health(http: httpx.AsyncClient, redis_url: str) -> None:
    assert (await http.get("/health/live")).json() == {"status": "ok"}
    assert (await http.get("/health/ready")).json()["checks"] == {"database": "ok", "redis": "ok"}


async def test_who_asks_too_often_is_told_when_to_ask_again(
    http: httpx.AsyncClient, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KONTORA_GRAPHQL_REQUESTS_PER_MINUTE", "1")
    get_settings.cache_clear()
    monkeypatch.setattr("web.graphql._rates", Rates())
    answers = [await post(http, {"query": VIEWER}) for _ in range(SMALLEST_BURST_CALLS + 1)]
    assert [answer.status_code for answer in answers[:-1]] == [200] * SMALLEST_BURST_CALLS
    refused = answers[-1]
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert (await post(http, {"query": VIEWER}, authorization=f"Bearer {token}")).status_code == 200, "others go on"
