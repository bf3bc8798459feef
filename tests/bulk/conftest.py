"""A superadmin over HTTP, and a worker in this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest

from core.ids import decode_id
from tests.web.conftest import http, token
from web import auth
from workers.handlers import register_handlers
from workers.outbox import Outcome, process

__all__ = ["http", "token"]
OPERATION = """
    id kind status format dryRun rowCount doneCount progressPercent createdCount updatedCount matchedCount problemCount
    errorCode errorMessage sizeBytes problems(first: 50, orderBy: {field: CREATED_AT, direction: ASC}) {
        nodes { rowNumber columnName code } }
"""
EXPORT = f"mutation($input: ExportCreateInput!) {{ exportCreate(input: $input) {{ bulkOperation {{ {OPERATION} }} userErrors {{ code field }} }} }}"
READ = f"query($id: ID!) {{ bulkOperation(id: $id) {{ {OPERATION} }} }}"
LINK = "query($id: ID!) { bulkOperationLink(id: $id) { url } }"

Work = Callable[[str], Awaitable[Outcome]]


@pytest.fixture
async def staff(http: httpx.AsyncClient, token: str, monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    # Two tests in one second have the same token, whose permissions are trusted for two.
    monkeypatch.setattr("web.auth.TRUSTED_SECONDS", -1.0)
    auth._recent.forget(token)
    http.headers["Authorization"] = f"Bearer {token}"
    return http


@pytest.fixture
def work(owner: asyncpg.Connection) -> Work:
    """Runs an operation as a worker does."""
    register_handlers()

    async def run(operation: str) -> Outcome:
        key = decode_id(operation, "BulkOperation")[1]
        message = await owner.fetchval(
            "SELECT id FROM outbox_messages WHERE kind = 'bulk_operation.run' AND (payload->>'bulk_operation_id')::int = $1",
            key,
        )
        return await process(message)

    return run


async def ask(client: httpx.AsyncClient, query: str, **variables: Any) -> Any:
    """The one root value of an answer without errors."""
    answer = (await client.post("/graphql", json={"query": query, "variables": variables})).json()
    assert "errors" not in answer, answer["errors"]
    (value,) = answer["data"].values()
    return value


async def export(client: httpx.AsyncClient, kind: str, format: str) -> Any:
    """The payload of a request for an export."""
    return await ask(client, EXPORT, input={"kind": kind, "format": format})
