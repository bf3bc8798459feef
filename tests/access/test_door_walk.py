"""No door beside GraphQL leads a partner to another's rows: every route of the application, for every credential (ACC-4).

The walk comes from the application's own table of routes. A door that takes a body must say here what it takes, or
the walk fails: with the other partner's numbers in it, it must answer as with numbers that nobody has.
"""

from __future__ import annotations

import itertools
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from starlette.routing import Mount, Route

from core import crypto
from core.ids import encode_id
from core.rates import Rates
from core.settings import get_settings
from models import Base
from policies.roles import PARTNER_PERMISSIONS
from services.access.principals import API_TOKEN_PURPOSE, COOKIE_PURPOSE, issue_access_token
from services.access.project_tokens import PURPOSE as PROJECT_TOKEN_PURPOSE
from tests.access.test_tenant_walk import LEAK, decoded
from tests.two_tenants import ABSENT, MARK, OTHER, OTHER_ASTRAY, OWN, SHARED, digests, fill
from web.app import routes
from web.auth import COOKIE

OTHER_PRODUCT = SHARED + 1
SECRET = "a secret of the widget's integration"
CLIENT_UUID = "01d01160-d7a0-4087-b4af-6a1bb83fcd1e"
COOKIE_VALUE, API_TOKEN, PROJECT_TOKEN = "kcs_own", "kat_own", "kpt_own"
# Nobody at this machine, to whom a sandbox shows its mailbox; and with one id, so that answers can be compared.
ASKED_FROM_AFAR = {"x-forwarded-for": "203.0.113.9", "x-request-id": "the-walk-of-doors"}
PARAMETER = re.compile(r"\{\w+(:\w+)?\}")
_numbers = itertools.count(1)
# Files of ours, and other services' doors, which a sandbox has in the same process.
NO_DOORS = {"/static", "/sandbox/amocrm", "/sandbox/oidc"}

Given = Callable[[int], dict[str, Any]]


def _body(**told: Any) -> dict[str, Any]:
    return {"json": told, "headers": {"Idempotency-Key": f"key-{next(_numbers)}"}}


def _graphql(key: int) -> dict[str, Any]:
    ids = [encode_id(name, key) for name in ("Partner", "Invoice", "Wallet", "User")]
    return _body(query="query($ids: [ID!]!) { nodes(ids: $ids) { id databaseId } }", variables={"ids": ids})


def _charge(key: int) -> dict[str, Any]:
    return _body(installId=str(key), amount="1", description="x")


def _batch(key: int) -> dict[str, Any]:
    return _body(charges=[{"installId": str(key), "amount": "1", "description": "x", "idempotencyKey": "k"}])


def _points(key: int) -> dict[str, Any]:
    told = {"metric": "last_login", "at": "2026-01-01T00:00:00Z"}
    return _body(points=[{**told, "installId": str(key)}, {**told, "partnerId": str(key)}])


def _statement(key: int) -> dict[str, Any]:
    return {"content": f"1CClientBankExchange\n{MARK} {key}".encode()}


# What each door that takes a body is given; `GIVEN` of a door that takes none is for its query.
GIVEN: dict[str, Given] = {
    "POST /graphql": _graphql,
    "POST /webhooks/{gateway}": lambda key: {"content": orjson.dumps({"OrderId": f"{MARK} {key}"})},
    "POST /sandbox/pay/{order_id}": lambda _: {"data": {"action": "pay"}},
    "POST /forgotten-password": lambda key: {"data": {"email": f"{MARK.lower()}{key}@demo.test"}},
    "POST /set-password": lambda key: {"data": {"token": f"{MARK} {key}", "password": "lantern orbit mustard"}},
    "POST /api/v1/usage/charges": _charge,
    "POST /api/v1/usage/charges/batch": _batch,
    "POST /api/v1/usage/holds": _charge,
    "POST /api/v1/usage/holds/{hold_id:int}/capture": lambda _: _body(amount="1"),
    "POST /api/v1/usage/holds/{hold_id:int}/release": lambda _: _body(),
    "GET /api/v1/events": lambda key: {"params": {"installId": str(key)}},
    "POST /api/onboarding/installs/{install_id:int}/steps": lambda _: _body(steps=[{"key": "x", "status": "DONE"}]),
    "POST /api/onboarding/installs/{install_id:int}/help": lambda _: _body(text="help"),
    "POST /api/metrics": _points,
    "POST /api/external/payments": lambda key: _body(externalId="x", amount="1", invoiceNumber=f"{MARK} {key}"),
    "POST /api/external/bank-statements": _statement,
    "PUT /storage/{key:path}": lambda _: {"content": b"x"},
    "POST /api/v1/import/partners": lambda key: {"content": f"number,name\n{key},x\n".encode()},
    "POST /api/v1/import/payments": lambda key: {
        "content": f"external_id,invoice_number\n{key},{MARK} {key}\n".encode()
    },
    "POST /api/v1/widget/activate": lambda _: _body(),
    "POST /api/v1/widget/orders": lambda key: _body(planId=str(key), term="MONTH"),
    "POST /api/v1/widget/coins": lambda key: _body(packageId=str(key)),
    "POST /api/v1/widget/payments": lambda key: _body(invoiceNumber=f"{MARK} {key}"),
    "POST /amocrm/disabled": lambda key: {"params": {"client_uuid": CLIENT_UUID, "account_id": str(key)}},
    "GET /amocrm/disabled": lambda key: {"params": {"client_uuid": CLIENT_UUID, "account_id": str(key)}},
    "POST /sign-in/code": lambda _: {"data": {"code": "000000"}},
    "POST /second-factor/start": lambda _: {"data": {}},
    "POST /second-factor/confirm": lambda _: {"data": {"code": "000000"}},
    "POST /second-factor/recovery-codes": lambda _: {"data": {"code": "000000"}},
    "POST /second-factor/disable": lambda _: {"data": {"code": "000000"}},
    "POST /sign-in": lambda _: {"data": {"email": "who@demo.test", "password": "x"}},
    "POST /sign-in/oidc/logout": lambda _: {"data": {"logout_token": "x.y.z"}},
    "POST /sign-out": lambda _: {"data": {}},
}


# These answer with rows of one's own that name the key; an own row may go astray and name another's.
OWN_ROWS_BY_KEY = frozenset({"GET /api/v1/events"})


@dataclass(frozen=True)
class Door:
    """A route with one of its methods."""

    method: str
    path: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def takes_ids(self) -> bool:
        return str(OTHER) in str(self.request(OTHER))

    def request(self, key: int) -> dict[str, Any]:
        given = GIVEN[self.name](key) if self.name in GIVEN else {}
        return {"method": self.method, "url": PARAMETER.sub(str(key), self.path), **given}


def doors() -> Iterator[Door]:
    """Every door, from the application's own table."""
    for route in routes():
        if isinstance(route, Mount):
            assert route.path in NO_DOORS, f"what is behind {route.path} is not walked"
        elif isinstance(route, Route):
            for method in sorted((route.methods or {"GET", "POST"}) - {"HEAD", "OPTIONS"}):
                yield Door(method, route.path)


def _widget_token() -> str:
    now = int(time.time())
    claims = {
        **{"iss": "https://own.amocrm.ru", "aud": get_settings().base_url, "client_uuid": CLIENT_UUID},
        **{"jti": f"j{next(_numbers)}", "iat": now, "nbf": now, "exp": now + 60},
        **{"account_id": OWN, "user_id": 1, "is_admin": True},
    }
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET), algorithms=["HS256"])


# What somebody of the own partner, or its product's back end, comes with.
CREDENTIALS: dict[str, Callable[[], dict[str, str]]] = {
    "nobody": dict,
    "a session": lambda: {"authorization": f"Bearer {issue_access_token(OWN)[0]}"},
    "a browser": lambda: {"cookie": f"{COOKIE}={COOKIE_VALUE}"},
    "an API token": lambda: {"authorization": f"Bearer {API_TOKEN}"},
    "a product": lambda: {"x-project-token": PROJECT_TOKEN},
    "a widget": lambda: {"x-auth-token": _widget_token()},
}


@pytest.fixture
async def world(owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection:
    """Two partners' rows everywhere; the own one's user, program, product and widget may all that such may."""
    monkeypatch.setattr("services.access.passwords.REQUESTS_A_MINUTE", 1_000_000)
    for door in ("web.project._rates", "web.widget._rates"):
        monkeypatch.setattr(door, Rates(now=itertools.count(0, 3600).__next__))
    # Figures of the whole are for who has their token.
    monkeypatch.setenv("KONTORA_METRICS_TOKEN", "of the operators")
    get_settings.cache_clear()
    await fill(owner)
    product_hash = crypto.keyed_hash(PROJECT_TOKEN, PROJECT_TOKEN_PURPOSE)
    sealed = crypto.encrypt(SECRET, f"products.client_secret:{SHARED}")
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute(
            f"""
            -- As if written long ago: such events are told, whatever number transactions have come to.
            UPDATE product_events SET order_xid = 0;
            UPDATE users SET kind = CASE WHEN partner_id IS NULL THEN 'STAFF' ELSE 'PARTNER' END;
            UPDATE sessions SET revoked_at = NULL, expires_at = now() + interval '1 day' WHERE id = {OWN};
            UPDATE api_tokens SET revoked_at = NULL, expires_at = now() + interval '1 day' WHERE id = {OWN};
            INSERT INTO products (id, name, code, kind) OVERRIDING SYSTEM VALUE
                VALUES ({OTHER_PRODUCT}, '{MARK}', 'other', 'WIDGET');
            INSERT INTO role_permissions SELECT {SHARED}, name FROM permissions ON CONFLICT DO NOTHING;
            """
        )
        for table in Base.metadata.sorted_tables:
            if {"partner_id", "product_id"} <= set(table.columns.keys()):
                await owner.execute(f"UPDATE {table.name} SET product_id = {OTHER_PRODUCT} WHERE partner_id = {OTHER}")
        await owner.execute("UPDATE sessions SET cookie_hash = $1 WHERE id = $2", _hash(COOKIE_VALUE), OWN)
        token_hash, scopes = crypto.keyed_hash(API_TOKEN, API_TOKEN_PURPOSE), sorted(PARTNER_PERMISSIONS)
        await owner.execute(
            "UPDATE api_tokens SET token_hash = $1, permissions = $2 WHERE id = $3", token_hash, scopes, OWN
        )
        await owner.execute(
            "UPDATE products SET project_token_hash = $1, client_secret_encrypted = $2, client_uuid = $3 WHERE id = $4",
            *(product_hash, sealed, uuid.UUID(CLIENT_UUID), SHARED),
        )
    return owner


def _hash(cookie: str) -> str:
    return crypto.keyed_hash(cookie, COOKIE_PURPOSE)


async def test_no_door_leads_to_the_other_partner(http: httpx.AsyncClient, world: asyncpg.Connection) -> None:
    walked = list(doors())
    assert {door.name for door in walked} >= set(GIVEN), "these doors are gone"
    silent = {door.name for door in walked if door.method != "GET"} - set(GIVEN)
    assert not silent, f"say what these doors take: {silent}"
    # The credentials are good: what is the own partner's is reached with them.
    for who, path in (
        ("a product", f"/api/v1/usage/installs/{OWN}"),
        ("a product", f"/api/onboarding/installs/{OWN}"),
        ("a widget", "/api/v1/widget/install"),
    ):
        assert (await http.get(path, headers=CREDENTIALS[who]())).status_code == 200, (who, path)
    viewer = {"json": {"query": "{ partners { nodes { databaseId } } }"}}
    for who in ("a session", "a browser", "an API token"):
        answer = await http.post("/graphql", headers=CREDENTIALS[who](), **viewer)
        assert answer.json()["data"]["partners"]["nodes"] == [{"databaseId": str(OWN)}], who
    before = await digests(world)
    for door, (who, credential) in itertools.product(walked, CREDENTIALS.items()):

        async def told(key: int, door: Door = door, credential: Any = credential) -> tuple[int, str]:
            asked = door.request(key)
            asked["headers"] = {**asked.get("headers", {}), **credential(), **ASKED_FROM_AFAR}
            answer = await http.request(**asked)
            return answer.status_code, answer.text

        for key in (OTHER, OTHER_ASTRAY) if door.takes_ids else (OTHER,):
            status, text = await told(key)
            assert status != 500, (door, who, text)
            seen = decoded(text.replace(f"{MARK} {key}", "").replace(f"{MARK.lower()}{key}", ""))
            if door.takes_ids and door.name not in OWN_ROWS_BY_KEY:
                absent = await told(ABSENT)
                assert (status, decoded(text).replace(str(key), str(ABSENT))) == (absent[0], decoded(absent[1])), (
                    door,
                    who,
                )
            assert not LEAK.search(seen.replace(str(key), "") if door.takes_ids else seen), (door, who, text)
    assert await digests(world) == before, "a row of the other partner has changed"
