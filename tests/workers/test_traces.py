"""One trace from a request over SQL and the outbox into a worker and out to a gateway; and what it never tells (MON-2)."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from websockets.asyncio.client import connect

from core import http, tracing
from core.database import dispose, transaction
from core.ids import encode_id
from core.principal import SYSTEM
from core.settings import get_settings
from core.traced_http import TracedTransport
from gateways.tbank.emulator import TBankEmulator
from services import access
from tests.served import served
from tests.workers.conftest import eventually
from web.app import build
from workers.handlers import register_handlers
from workers.relay import Relay
from workers.schedule import JOBS, sync_jobs

MARK = "marked-secret-4711"
EMAIL = "anna@demo.test"
PASSWORD = "correct horse battery"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PROGRESS = "subscription Watch($id: ID!) { bulkOperationProgress(id: $id) { status } }"
RUN = """
mutation RunNow($input: ScheduledJobRunInput!) { scheduledJobRun(input: $input) { run { id } userErrors { code } } }
"""


@dataclass
class Outside:
    """A collector of traces and a bank on one socket.

    Parameters:
        spans: each span with the service that it came from.
        asked: headers of the calls to the bank.
    """

    url: str
    spans: list[tuple[str, Span]] = field(default_factory=list)
    asked: list[dict[bytes, bytes]] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        """Keep the spans of an OTLP request."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {item.key: item.value.string_value for item in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(named["service.name"], span) for span in scope.spans]

    def of(self, service: str) -> dict[str, Span]:
        """Spans of a service by name, of the marked trace."""
        return {span.name: span for known, span in self.spans if known == service and span.trace_id.hex() == TRACE}


@pytest.fixture
async def outside(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Outside]:
    """The collector and the bank, and settings that point at them."""
    bank = TBankEmulator()
    listening = socket.create_server(("127.0.0.1", 0))
    found = Outside(f"http://127.0.0.1:{listening.getsockname()[1]}")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/v1/traces":
            found.asked.append(dict(scope["headers"]))
            await bank.app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        found.take(body)
        headers = [(b"content-type", b"application/x-protobuf")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": ExportTraceServiceResponse().SerializeToString()})

    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    given = {
        "KONTORA_OTLP_ENDPOINT": found.url,
        "KONTORA_TBANK_URL": f"{found.url}/v2/",
        "KONTORA_TBANK_TERMINAL_KEY": bank.terminal_key,
        "KONTORA_TBANK_PASSWORD": bank.password,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    yield found
    await asyncio.to_thread(tracing.stop)
    await dispose()
    server.should_exit = True
    await serving


async def a_token() -> str:
    """An access token of a superadmin."""
    async with transaction() as session:
        await access.create_superadmin(session, SYSTEM, email=EMAIL, name=MARK, password=PASSWORD)
        found = await access.sign_in(session, email=EMAIL, password=PASSWORD)
    assert isinstance(found, access.SignedIn)
    return found.access_token


def a_worker() -> subprocess.Popen[bytes]:
    """A worker process of the product, with the settings of the test."""
    return subprocess.Popen([sys.executable, "-P", "-m", "cli.main", "work"], env=dict(os.environ))


async def test_one_trace_leads_from_the_request_to_the_gateway(
    outside: Outside, owner: asyncpg.Connection, broker: Any
) -> None:
    register_handlers()
    async with transaction() as session:
        await sync_jobs(session, {"gateways.check": JOBS["gateways.check"]})
    token = await a_token()
    await dispose()
    tracing.start("kontora-api")
    worker = a_worker()
    try:
        transport = httpx.ASGITransport(build(), raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        async with httpx.AsyncClient(transport=transport, base_url="http://kontora.test", headers=headers) as api:
            body = {"query": RUN, "variables": {"input": {"name": "gateways.check", "idempotencyKey": MARK}}}
            answer = await api.post("/graphql", json=body)
            assert answer.json()["data"]["scheduledJobRun"]["userErrors"] == []
            refused = await api.get("/api/v1/usage/installs/4711/balance", headers={"X-Project-Token": MARK})
            assert refused.status_code == 401
        stored = await owner.fetchval("SELECT traceparent FROM outbox_messages")
        assert stored.split("-")[1] == TRACE
        await Relay(broker).relay_once()

        async def arrived() -> bool:
            return "process gateways.check" in outside.of("kontora-worker")

        await eventually(arrived)
        await asyncio.to_thread(tracing.stop)
    finally:
        worker.terminate()
        await asyncio.to_thread(worker.wait)
    ours, workers = outside.of("kontora-api"), outside.of("kontora-worker")
    request, dispatched = ours["mutation RunNow"], ours["dispatch gateways.check"]
    done, called = workers["process gateways.check"], workers["GET 127.0.0.1"]
    assert request.parent_span_id.hex() == "b7ad6b7169203331"
    assert ours["INSERT"].parent_span_id == request.span_id
    assert stored.split("-")[2] == request.span_id.hex()
    assert dispatched.parent_span_id == done.parent_span_id == request.span_id
    assert called.parent_span_id == done.span_id
    # The bank is told nothing of our traces.
    assert outside.asked
    assert not any(b"traceparent" in headers for headers in outside.asked)
    assert "GET /api/v1/usage/installs/{install_id}/balance" in ours
    everything = str(outside.spans)
    for secret in (MARK, token, "4711/balance", "TinkoffBankTest", EMAIL, PASSWORD):
        assert secret not in everything


async def test_only_our_products_are_told_of_the_trace(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONTORA_ALLOW_PRIVATE_ENDPOINTS", "true")
    get_settings.cache_clear()
    tracing.start("kontora-api")
    with tracing.span("here"):
        here = tracing.traceparent()
        assert tracing.add_trace_id(None, "info", {})["trace_id"] == str(here).split("-")[1]
        for made in (http.client(), http.guarded_client(), http.guarded_client(propagate=True)):
            async with made as client:
                await client.get(f"{outside.url}/secret/path?token={MARK}")
    told = [headers.get(b"traceparent", b"").decode() for headers in outside.asked]
    assert told[:2] == ["", ""]
    assert told[2].split("-")[1] == str(here).split("-")[1]
    await asyncio.to_thread(tracing.stop)
    assert sorted(span.name for _, span in outside.spans) == ["GET 127.0.0.1"] * 3 + ["here"]
    assert MARK not in str(outside.spans)
    assert "secret/path" not in str(outside.spans)


async def test_no_span_is_made_while_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KONTORA_OTLP_ENDPOINT", raising=False)
    get_settings.cache_clear()
    tracing.start("kontora-api")
    with tracing.span("x") as made:
        assert made is None
        assert tracing.traceparent() is None
    async with http.client() as client:
        assert not isinstance(client._transport, TracedTransport)
    assert tracing.add_trace_id(None, "info", {}) == {}


async def test_an_operation_of_a_socket_is_a_span_until_it_ends(outside: Outside) -> None:
    token = await a_token()
    await dispose()
    tracing.start("kontora-api")
    options: dict[str, Any] = {
        "subprotocols": ["graphql-transport-ws"],
        "additional_headers": {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"},
    }
    async with served(build()) as address, connect(f"{address.replace('http', 'ws')}/graphql", **options) as socket:

        async def say(**message: Any) -> Any:
            await socket.send(orjson.dumps(message).decode())
            return orjson.loads(await asyncio.wait_for(socket.recv(), 20))

        await say(type="connection_init", payload={"authorization": f"Bearer {token}"})
        asked = {"query": "query Me { viewer { email } }"}
        assert (await say(type="subscribe", id="1", payload=asked))["payload"]["data"] == {"viewer": {"email": EMAIL}}
        await socket.recv()
        watched = {"query": PROGRESS, "variables": {"id": encode_id("BulkOperation", 4711)}}
        assert (await say(type="subscribe", id="2", payload=watched))["type"] == "error"
    await asyncio.to_thread(tracing.stop)
    ours = outside.of("kontora-api")
    assert {name for name in ours if not name.isupper()} == {"query Me", "subscription Watch"}
    assert ours["query Me"].parent_span_id.hex() == "b7ad6b7169203331"
    assert ours["SELECT"].parent_span_id in {ours["query Me"].span_id, ours["subscription Watch"].span_id}
    assert ours["query Me"].status.code != ours["subscription Watch"].status.code
    assert EMAIL not in str(outside.spans)
