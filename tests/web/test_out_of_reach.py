"""A database that is away, or goes away in the middle of a request: a typed answer that says to send it again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest

from core import database
from core.metrics import UNEXPECTED
from core.settings import get_settings
from tests.factories.world import a_partner, a_product, an_install

READ = "query Read { partners { nodes { name } } }"
CHANGE = 'mutation { partnerCreate(input: {name: "Lost"}) { partner { name } userErrors { code } } }'


@asynccontextmanager
async def locked(owner: asyncpg.Connection, table: str) -> AsyncIterator[None]:
    """Whoever comes to the table waits."""
    async with owner.transaction():
        await owner.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


async def cut(owner: asyncpg.Connection, asked: Coroutine[Any, Any, httpx.Response], table: str) -> httpx.Response:
    """The answer to a request whose session of the database is ended while it waits for a table."""
    async with locked(owner, table):
        request = asyncio.create_task(asked)
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE NOT granted AND relation = $1::regclass"
        while not await owner.fetchval(ended, table):
            assert not request.done(), await request
            await asyncio.sleep(0.01)
        return await request


async def test_a_session_that_is_cut_is_told_as_unavailable(
    owner: asyncpg.Connection, http: httpx.AsyncClient, token: str
) -> None:
    product = await a_product()
    install = await an_install((await a_partner()).id, product.product.id)
    signed_in = {"authorization": f"Bearer {token}", "accept": "application/graphql-response+json"}
    unexpected = UNEXPECTED._value.get()
    for document in (READ, CHANGE):
        ask = http.post("/graphql", json={"query": document}, headers=signed_in)
        answer = await cut(owner, ask, "partners")
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["extensions"]["code"]) == (503, "UNAVAILABLE"), answer.text
        assert answer.headers["retry-after"] == "1"
        assert (await http.post("/graphql", json={"query": READ}, headers=signed_in)).status_code == 200
    charge = {"installId": str(install.id), "amount": "1", "description": "x"}
    headers = {"x-project-token": product.project_token, "idempotency-key": "k"}
    answer = await cut(owner, http.post("/api/v1/usage/charges", json=charge, headers=headers), "wallets")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE"), answer.text
    assert UNEXPECTED._value.get() == unexpected, "nobody need be called for it"
    assert await owner.fetchval("SELECT count(*) FROM partners WHERE name = 'Lost'") == 0


async def test_a_database_that_is_away_is_told_as_unavailable(
    http: httpx.AsyncClient, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.dispose()
    monkeypatch.setenv("KONTORA_DATABASE_URL", "postgresql://postgres@/none?host=/nowhere")
    get_settings.cache_clear()
    headers = {"authorization": f"Bearer {token}"}
    for document in (READ, CHANGE):
        answer = await http.post("/graphql", json={"query": document}, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
    shown = await http.get("/sandbox/pay/x", headers={"accept": "text/html"})
    assert (shown.status_code, shown.headers["retry-after"]) == (503, "1")
    assert "One moment" in shown.text
    await database.dispose()
