"""GraphQL over WebSocket as clients meet it, on a real socket (ORD-9, PAR-5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from core import changes
from core.ids import encode_id
from core.rates import SMALLEST_BURST_CALLS, Rates
from core.settings import get_settings
from services.bulk import runner
from tests.bulk.conftest import Work, export, staff, work
from tests.factories.world import a_partner
from tests.served import served
from tests.web.conftest import http, token
from web import live
from web.app import build

__all__ = ["http", "staff", "token", "work"]
PROGRESS = "subscription($id: ID!) { bulkOperationProgress(id: $id) { status doneCount rowCount } }"


@pytest.fixture
async def url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The socket's address; who is behind it is asked for all the time."""
    monkeypatch.setattr(live, "CHECK_SECONDS", 0.05)
    async with served(build()) as address:
        yield address.replace("http", "ws") + "/graphql"


def opened(url: str, **options: Any) -> connect:
    return connect(url, subprotocols=["graphql-transport-ws"], **options)


async def say(socket: ClientConnection, **message: Any) -> None:
    await socket.send(orjson.dumps(message).decode())


async def heard(socket: ClientConnection) -> Any:
    return orjson.loads(await asyncio.wait_for(socket.recv(), 20))


async def begin(socket: ClientConnection, token: str | None) -> None:
    payload = {"authorization": f"Bearer {token}"} if token else {}
    await say(socket, type="connection_init", payload=payload)
    assert await heard(socket) == {"type": "connection_ack"}


async def subscribe(socket: ClientConnection, name: str, query: str, **variables: Any) -> None:
    await say(socket, type="subscribe", id=name, payload={"query": query, "variables": variables})


async def closed_with(socket: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await heard(socket)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


async def test_progress_is_told_until_the_end(
    url: str,
    token: str,
    staff: httpx.AsyncClient,
    work: Work,
    owner: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "PROGRESS_SECONDS", 0.0)
    await a_partner()
    operation = (await export(staff, "PARTNER_EXPORT", "CSV"))["bulkOperation"]["id"]
    async with opened(url) as socket:
        await begin(socket, token)
        await subscribe(socket, "1", PROGRESS, id=operation)
        first = await heard(socket)
        assert first["payload"]["data"] == {
            "bulkOperationProgress": {"status": "QUEUED", "doneCount": 0, "rowCount": None}
        }
        await work(operation)
        told = []
        while (message := await heard(socket))["type"] == "next":
            told.append(message["payload"]["data"]["bulkOperationProgress"])
        assert message == {"type": "complete", "id": "1"}
        assert told[-1] == {"status": "COMPLETED", "doneCount": 1, "rowCount": 1}
        await subscribe(socket, "1", PROGRESS, id=operation)
        assert (await heard(socket))["payload"]["data"]["bulkOperationProgress"]["status"] == "COMPLETED"
        assert (await heard(socket))["type"] == "complete"


async def test_a_lost_listener_misses_nothing(
    url: str, token: str, staff: httpx.AsyncClient, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.notices.RECONNECT_SECONDS", 0.1)
    operation = (await export(staff, "PARTNER_EXPORT", "CSV"))["bulkOperation"]["id"]
    async with opened(url) as socket:
        await begin(socket, token)
        await subscribe(socket, "1", PROGRESS, id=operation)
        await heard(socket)
        killed = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'kontora-changes'"
        )
        while not await owner.fetchval(killed + " AND datname = current_database()"):  # noqa: ASYNC110 - at the server
            await asyncio.sleep(0.01)
        await owner.execute("UPDATE bulk_operations SET status = 'CANCELED'")
        while (message := await heard(socket))["type"] == "next":
            told = message["payload"]["data"]["bulkOperationProgress"]
        assert told["status"] == "CANCELED"
    async with asyncio.timeout(10):
        while changes._by_loop[id(asyncio.get_running_loop())].listener is not None:  # noqa: ASYNC110 - in the server
            await asyncio.sleep(0.01)


async def test_operations_of_a_socket_count_as_requests_do(
    url: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KONTORA_GRAPHQL_REQUESTS_PER_MINUTE", "1")
    get_settings.cache_clear()
    monkeypatch.setattr("web.graphql._rates", Rates())
    async with opened(url) as socket:
        await begin(socket, token)
        for number in range(SMALLEST_BURST_CALLS):
            await subscribe(socket, str(number), "{ viewer { email } }")
            assert [(await heard(socket))["type"] for _ in range(2)] == ["next", "complete"]
        await subscribe(socket, "one-too-many", "{ viewer { email } }")
        refused = await heard(socket)
        assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "RATE_LIMITED")


async def test_queries_mutations_and_refusals(url: str, token: str) -> None:
    async with opened(url) as socket:
        await begin(socket, token)
        await subscribe(socket, "q", "{ viewer { email } }")
        assert (await heard(socket))["payload"]["data"] == {"viewer": {"email": "anna@demo.test"}}
        assert await heard(socket) == {"type": "complete", "id": "q"}
        for query, code in (
            ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("subscription {", "GRAPHQL_PARSE_FAILED"),
            (PROGRESS, "BAD_USER_INPUT"),
            (1, "BAD_REQUEST"),
        ):
            await subscribe(socket, "x", query)  # type: ignore[arg-type]
            message = await heard(socket)
            assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", code)
        for wanted, code in ((encode_id("BulkOperation", 7), "NOT_FOUND"), ("x", "INVALID_ID")):
            await subscribe(socket, "x", PROGRESS, id=wanted)
            assert (await heard(socket))["payload"][0]["extensions"]["code"] == code
        await say(socket, type="ping")
        assert await heard(socket) == {"type": "pong"}


async def test_strangers_know_no_subscriptions(url: str) -> None:
    async with opened(url) as socket:
        await begin(socket, None)
        await subscribe(socket, "x", PROGRESS, id=encode_id("BulkOperation", 1))
        assert (await heard(socket))["type"] == "error"


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["[]"], 4400),
        (["no json"], 4400),
        ([{"type": "what"}], 4400),
        ([{"type": "subscribe", "id": "1", "payload": {"query": "{ viewer { email } }"}}], 4401),
        ([{"type": "connection_init"}, {"type": "connection_init"}], 4429),
        ([{"type": "connection_init", "payload": {"authorization": "Bearer x"}}], 4403),
        ([{"type": "connection_init", "payload": {"authorization": 1}}], 4400),
        ([{"type": "connection_init"}, {"type": "subscribe", "payload": {}}], 4400),
    ],
)
async def test_what_is_not_of_the_protocol_closes_the_socket(url: str, messages: list[Any], code: int) -> None:
    async with opened(url) as socket:
        for message in messages:
            await socket.send(message if isinstance(message, str) else orjson.dumps(message).decode())
        assert await closed_with(socket) == code


async def test_one_id_is_one_operation(url: str, token: str, staff: httpx.AsyncClient) -> None:
    operation = (await export(staff, "PARTNER_EXPORT", "CSV"))["bulkOperation"]["id"]
    async with opened(url) as socket:
        await begin(socket, token)
        await subscribe(socket, "1", PROGRESS, id=operation)
        await heard(socket)
        await say(socket, type="complete", id="1")
        await subscribe(socket, "1", PROGRESS, id=operation)
        await heard(socket)
        await subscribe(socket, "1", PROGRESS, id=operation)
        assert await closed_with(socket) == 4409


async def test_a_silent_socket_is_closed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "INIT_SECONDS", 0.0)
    async with opened(url) as socket:
        assert await closed_with(socket) == 4408


async def test_other_protocols_and_other_sites_are_refused(url: str) -> None:
    for options in ({"subprotocols": ["graphql-ws"]}, {"origin": "https://evil.test"}):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, **{"subprotocols": ["graphql-transport-ws"], **options}):  # type: ignore[arg-type]
                pass
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "change",
    ["UPDATE users SET status = 'BLOCKED'", "DELETE FROM user_roles", "UPDATE sessions SET revoked_at = now()"],
)
async def test_a_socket_ends_with_what_allowed_it(
    url: str, token: str, staff: httpx.AsyncClient, owner: asyncpg.Connection, change: str
) -> None:
    async with opened(url) as socket:
        await begin(socket, token)
        await owner.execute(change)
        assert await closed_with(socket) == 4403


async def test_subscriptions_are_not_served_by_post(staff: httpx.AsyncClient) -> None:
    body = {"query": PROGRESS, "variables": {"id": encode_id("BulkOperation", 1)}}
    answer = (await staff.post("/graphql", json=body)).json()
    assert answer["errors"][0]["extensions"]["code"] == "SUBSCRIPTION_BY_HTTP"
