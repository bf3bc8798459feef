"""Widgets ask for themselves by one-time tokens (INS-5, ACC-7)."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from core.database import transaction
from gateways.amocrm.signatures import BadToken, read_token
from services import amocrm
from tests.amocrm.conftest import BASE, DOMAIN, SECRET, Crm

ORIGIN = {"Origin": f"https://{DOMAIN}"}
SAMPLE = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2RldnRlYW0ua29tbW8uY29tIiwiYXVkIjoiaHR0cHM6Ly9leGFtcGxlLmNv"
    "bSIsImp0aSI6ImE3YjJjM2Q0LTAwMDAtNDAwMC04MDAwLTAwMDAwMDAwMDAwMSIsImlhdCI6MTcwMDAwMDAwMCwibmJmIjoxNzAwMDAwMDAwLCJleHAi"
    "OjE3MDAwMDE4MDAsImFjY291bnRfaWQiOjMwODk2MjcxLCJzdWJkb21haW4iOiJkZXZ0ZWFtIiwiY2xpZW50X3V1aWQiOiIwMWQwMTE2MC1kN2EwLTQw"
    "ODctYjRhZi02YTFiYjgzZmNkMWQiLCJ1c2VyX2lkIjo4Mzc1MzU3LCJpc19hZG1pbiI6dHJ1ZX0.4ciZVakvRtUWgxiB0ItFssARcinaCJCdm-jG2I4a8jU"
)


async def get(crm: Crm, token: str, path: str = "install", **headers: str) -> httpx.Response:
    return await crm.http.get(f"/api/v1/widget/{path}", headers={"X-Auth-Token": token, **headers})


async def post(crm: Crm, token: str, path: str, body: dict[str, Any]) -> httpx.Response:
    return await crm.http.post(f"/api/v1/widget/{path}", json=body, headers={"X-Auth-Token": token, **ORIGIN})


async def test_from_trial_to_payment_link(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    first = (await get(crm, await crm.token())).json()
    assert (first["status"], first["active"], first["kind"], first["balance"]) == ("INSTALLED", False, "TRIAL", None)
    for _ in range(2):
        activated = await post(crm, await crm.token(), "activate", {})
        assert activated.status_code == 200, activated.text
    told = activated.json()
    assert (told["active"], told["subscription"]["status"], told["balance"]) == (True, "TRIAL", "1000.000")
    offered = (await get(crm, await crm.token(), "plans")).json()["plans"]
    assert [plan["planId"] for plan in offered] == [str(crm.plan)]
    assert offered[0]["prices"][0] == {"term": "MONTH", "unitPrice": "100.00"}
    ordered = await post(crm, await crm.token(), "orders", {"planId": crm.plan, "term": "YEAR", "seats": 3})
    assert ordered.status_code == 201, ordered.text
    assert (ordered.json()["total"], ordered.json()["currency"]) == ("2880.00", "RUB")
    assert ordered.json()["paymentLink"].startswith("http")
    state = (await get(crm, await crm.token())).json()
    assert state["invoice"]["number"] == ordered.json()["invoiceNumber"]
    assert state["invoice"]["paymentLink"] == ordered.json()["paymentLink"]
    # Ordering anew replaces what waits.
    again = await post(crm, await crm.token(), "orders", {"planId": crm.plan})
    assert again.status_code == 201
    assert await owner.fetchval("SELECT count(*) FROM invoices WHERE status = 'PENDING'") == 1


async def test_a_token_is_good_once_whatever_came_of_it(crm: Crm) -> None:
    await crm.install()
    token = await crm.token()
    answers = await asyncio.gather(*(get(crm, token) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200, *[401] * 9]
    failing = await crm.token()
    assert (await post(crm, failing, "orders", {"planId": 999})).status_code == 404
    assert (await get(crm, failing)).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": f"http://{DOMAIN}"},
        {"iss": None},
        {"aud": "https://elsewhere.example"},
        {"aud": None},
        {"aud": [BASE]},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 101},
        {"jti": 5},
        {"exp": None},
        {"exp": int(time.time()) - 60},
        {"exp": int(time.time()) + 86_400},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": None},
        {"iat": int(time.time()) + 600},
        {"nbf": None},
        {"nbf": int(time.time()) + 600},
        {"account_id": None},
        {"account_id": "1"},
        {"account_id": -1},
        {"user_id": None},
        {"client_uuid": None},
        {"client_uuid": "01d01160-d7a0-4087-b4af-6a1bb83fcd1d"},
    ],
    ids=lambda claims: next(iter(claims)),
)
async def test_every_claim_is_checked(crm: Crm, claims: dict[str, Any]) -> None:
    await crm.install()
    token = await crm.token(**claims) if "client_uuid" not in claims else _signed(crm, **claims)
    answer = await get(crm, token)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "BAD_WIDGET_TOKEN"


def _signed(crm: Crm, *, secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    now = int(time.time())
    body = {
        "iss": f"https://{DOMAIN}",
        "aud": BASE,
        "jti": "j",
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "account_id": crm.emulator.account(DOMAIN).id,
        "user_id": 1,
        "client_uuid": crm.client_uuid,
        **claims,
    }
    body = {name: value for name, value in body.items() if value is not None}
    return jwt.encode({"alg": algorithm}, body, OctKey.import_key(secret), algorithms=[algorithm])


async def test_other_keys_and_algorithms_are_refused(crm: Crm) -> None:
    await crm.install()
    good = _signed(crm)
    header, body, signature = good.split(".")
    unsigned = "eyJhbGciOiJub25lIn0"
    for token in (
        _signed(crm, secret="another-secret-of-somebody"),
        _signed(crm, algorithm="HS512"),
        f"{unsigned}.{body}.",
        f"{header}.{body}.{signature[:-2]}AA",
        f"{header}.{body}",
        "x.y.z",
        "nonsense",
        "x" * 5_000,
    ):
        assert (await get(crm, token)).status_code == 401, token[:60]
    assert (await get(crm, good)).status_code == 200
    assert (await crm.http.get("/api/v1/widget/install")).status_code == 401


async def test_accounts_without_the_widget_find_nothing(crm: Crm) -> None:
    assert (await get(crm, await crm.token())).status_code == 404


async def test_people_who_are_no_administrators_look_only(crm: Crm) -> None:
    await crm.install()
    assert (await get(crm, await crm.token(is_admin=False))).status_code == 200
    for path, body in (("activate", {}), ("orders", {"planId": crm.plan})):
        refused = await post(crm, await crm.token(is_admin=False), path, body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")


async def test_browsers_are_answered_from_accounts_only(crm: Crm) -> None:
    await crm.install()
    asked = await crm.http.options("/api/v1/widget/install", headers={**ORIGIN, "Access-Control-Request-Method": "GET"})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert "X-Auth-Token" in asked.headers["access-control-allow-headers"]
    evil = await crm.http.options("/api/v1/widget/install", headers={"Origin": "https://evil.example"})
    assert evil.status_code == 403
    told = await get(crm, await crm.token(), Origin="https://evil.example")
    assert "access-control-allow-origin" not in told.headers


async def test_a_widget_without_tokens_is_told_to_install_again(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    await owner.execute("UPDATE oauth_tokens SET active = false")
    answer = await post(crm, await crm.token(), "activate", {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "REINSTALL_NEEDED")


async def test_used_tokens_are_forgotten_when_they_have_ended(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    await get(crm, await crm.token())
    await owner.execute("UPDATE widget_token_uses SET expires_at = now() - interval '1 second'")
    async with transaction() as session:
        assert await amocrm.expire_token_uses(session) == 1


@pytest.mark.filterwarnings("ignore:Key size")
def test_the_sample_token() -> None:
    known = {
        "secret": "secret",
        "client_uuid": "01d01160-d7a0-4087-b4af-6a1bb83fcd1d",
        "audience": "https://example.com",
    }
    claims = read_token(SAMPLE, **known, now=datetime.fromtimestamp(1_700_000_900, UTC))
    assert (claims.domain, claims.account_id, claims.user_id, claims.is_admin) == (
        "devteam.kommo.com",
        30896271,
        8375357,
        True,
    )
    with pytest.raises(BadToken, match="expired"):
        read_token(SAMPLE, **known, now=datetime.fromtimestamp(1_700_001_900, UTC))
