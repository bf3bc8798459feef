"""Events sent again, endpoints left alone and tried, secrets that overlap, and events read by products (NOT-2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from standardwebhooks import Webhook, WebhookVerificationError

from core import clock, crypto
from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from core.rates import SMALLEST_BURST_CALLS, Rates
from core.settings import get_settings
from domain.effects import CIRCUIT_FAILURES, CIRCUIT_LONGEST, circuit_pause
from migrations.run import upgrade
from models import Install, Product
from services import events
from services.event_resending import read_events
from tests.api import payload
from tests.workers.test_events import Endpoint, emit, endpoint, make_install
from web.app import build
from workers.outbox import Outcome, process

__all__ = ["endpoint"]

REDELIVER = """
mutation($input: ProductEventRedeliverInput!) { productEventRedeliver(input: $input) {
  productEvent { status } userErrors { code } } }
"""
REDELIVER_FAILED = """
mutation($input: ProductEventsRedeliverFailedInput!) { productEventsRedeliverFailed(input: $input) {
  events userErrors { code } } }
"""
PING = """
mutation($input: ProductPingInput!) { productPing(input: $input) {
  ping { statusCode error durationMs endpoint } userErrors { code field } } }
"""
PRODUCT = encode_id("Product", 1)


async def pending(owner: asyncpg.Connection) -> list[int]:
    rows = await owner.fetch("SELECT id FROM outbox_messages WHERE status = 'PENDING' ORDER BY id")
    return [row["id"] for row in rows]


async def due(owner: asyncpg.Connection) -> None:
    """Let all waits end."""
    await owner.execute("UPDATE outbox_messages SET available_at = now() - interval '1 second', locked_until = NULL")


async def test_a_delivered_event_goes_out_again(endpoint: Endpoint, owner: asyncpg.Connection) -> None:
    install, _ = await make_install(endpoint.url)
    await emit(install)
    (message,) = await pending(owner)
    assert await process(message) is Outcome.DONE
    key = encode_id("ProductEvent", await owner.fetchval("SELECT id FROM product_events"))
    assert (await payload(REDELIVER, input={"id": key}))["productEvent"] == {"status": "PENDING"}
    assert (await payload(REDELIVER, input={"id": key}))["userErrors"] == [{"code": "CONFLICT"}]
    (again,) = await pending(owner)
    assert await process(again) is Outcome.DONE
    first, second = endpoint.requests
    assert first[1] == second[1]
    assert first[0]["webhook-id"] == second[0]["webhook-id"]


async def test_failed_ones_go_out_in_their_order(endpoint: Endpoint, owner: asyncpg.Connection) -> None:
    install, _ = await make_install(endpoint.url)
    for _ in range(3):
        await emit(install)
    await owner.execute("UPDATE product_events SET status = 'FAILED'; UPDATE outbox_messages SET status = 'DEAD'")
    since = (clock.now() - timedelta(hours=1)).isoformat()
    asked = {"productId": PRODUCT, "since": since}
    assert (await payload(REDELIVER_FAILED, input=asked))["events"] == 3
    assert (await payload(REDELIVER_FAILED, input=asked))["events"] == 0
    for message in await pending(owner):
        assert await process(message) is Outcome.DONE
    numbers = [
        row["sequence"] for row in await owner.fetch("SELECT sequence FROM product_events ORDER BY delivered_at")
    ]
    assert numbers == [1, 2, 3]


async def test_an_endpoint_that_fails_is_left_alone_and_tried_once(
    endpoint: Endpoint, owner: asyncpg.Connection
) -> None:
    install, _ = await make_install(endpoint.url)
    await emit(install)
    (message,) = await pending(owner)
    endpoint.answers = [500] * (CIRCUIT_FAILURES + 1)
    for _ in range(CIRCUIT_FAILURES):
        assert await process(message) is Outcome.RETRY
        await due(owner)
    attempts = await owner.fetchval("SELECT attempts FROM outbox_messages")
    for _ in range(3):
        assert await process(message) is Outcome.RETRY
        await due(owner)
    assert len(endpoint.requests) == CIRCUIT_FAILURES, "nothing is sent while the circuit is open"
    assert await owner.fetchval("SELECT attempts FROM outbox_messages") == attempts, "waiting costs no attempt"
    circuit = await payload(
        "query($p: ID!) { eventCircuits(filter: { productId: $p }) { nodes { failures openUntil lastError } } }",
        p=PRODUCT,
    )
    assert circuit["nodes"][0]["failures"] == CIRCUIT_FAILURES
    assert circuit["nodes"][0]["lastError"] == "the endpoint answered 500"
    clock.travel(clock.now() + timedelta(minutes=2))
    assert await process(message) is Outcome.RETRY
    await due(owner)
    assert len(endpoint.requests) == CIRCUIT_FAILURES + 1, "one probe, which failed"
    assert await process(message) is Outcome.RETRY
    await due(owner)
    assert len(endpoint.requests) == CIRCUIT_FAILURES + 1
    clock.travel(clock.now() + timedelta(minutes=5))
    assert await process(message) is Outcome.DONE
    row = await owner.fetchrow("SELECT failures, open_until FROM event_circuits")
    assert row is not None
    assert tuple(row) == (0, None)


CIRCUITS = """
{ eventCircuits(filter: { disabled: true }) { nodes { disabled disabledAt failingSince lastError } } }
"""


async def test_an_endpoint_that_is_gone_gets_nothing_until_it_takes_a_ping(
    endpoint: Endpoint, owner: asyncpg.Connection
) -> None:
    install, _ = await make_install(endpoint.url)
    other, _ = await make_install(endpoint.url, code="other")
    endpoint.answers = [410]
    for _ in range(3):
        await emit(install)
    await emit(other)
    first, *others = await pending(owner)
    assert await process(first) is Outcome.DEAD
    assert [await process(message) for message in others] == [Outcome.DONE] * 3
    assert len(endpoint.requests) == 2, "the other product's endpoint is its own"
    told = await owner.fetch("SELECT status FROM product_events ORDER BY id")
    assert [row["status"] for row in told] == ["FAILED", "FAILED", "FAILED", "DELIVERED"]
    assert await owner.fetchval("SELECT count(*) FROM dead_letters") == 1, "one word to people is enough"
    (circuit,) = (await payload(CIRCUITS))["nodes"]
    assert (circuit["disabled"], circuit["lastError"]) == (True, "the endpoint answered 410")
    endpoint.answers = [500]
    for accepted in (False, True):
        ping = await payload(PING, input={"productId": PRODUCT, "endpoint": "ACTIVATE"})
        assert (ping["ping"]["error"] is None) == accepted
        assert len((await payload(CIRCUITS))["nodes"]) == (0 if accepted else 1)
    since = (clock.now() - timedelta(hours=1)).isoformat()
    assert (await payload(REDELIVER_FAILED, input={"productId": PRODUCT, "since": since}))["events"] == 3
    assert [await process(message) for message in await pending(owner)] == [Outcome.DONE] * 3
    actions = await owner.fetch("SELECT action FROM audit_events WHERE action LIKE 'event_circuit%' ORDER BY id")
    assert [row["action"] for row in actions] == ["event_circuit.disable", "event_circuit.enable"]


async def test_an_endpoint_that_fails_for_days_is_disabled(endpoint: Endpoint, owner: asyncpg.Connection) -> None:
    install, _ = await make_install(endpoint.url)
    endpoint.answers = [500] * 3
    await emit(install)
    (message,) = await pending(owner)
    disabled = []
    for days in (0, 4, 2):
        clock.travel(clock.now() + timedelta(days=days))
        await process(message)
        await due(owner)
        disabled.append(await owner.fetchval("SELECT disabled FROM event_circuits"))
    assert disabled == [False, False, True]
    assert await process(message) is Outcome.DONE
    assert await owner.fetchval("SELECT status FROM product_events") == "FAILED"


@given(st.integers(0, 10_000))
def test_pauses_grow_and_have_an_end(failures: int) -> None:
    pause, longer = circuit_pause(failures), circuit_pause(failures + 1)
    assert (pause is None) == (failures < CIRCUIT_FAILURES)
    assert pause is None or (longer is not None and pause <= longer <= CIRCUIT_LONGEST)


async def test_a_ping_tells_what_the_endpoint_answers(endpoint: Endpoint, owner: asyncpg.Connection) -> None:
    _, secret = await make_install(endpoint.url)
    endpoint.answers = [204, 302]
    asked = {"productId": PRODUCT, "endpoint": "ACTIVATE"}
    good = (await payload(PING, input=asked))["ping"]
    assert (good["statusCode"], good["error"], good["endpoint"]) == (204, None, endpoint.url)
    headers, body = endpoint.requests[0]
    told: dict[str, Any] = Webhook(secret).verify(body, headers)
    assert told["type"] == "ping"
    redirected = (await payload(PING, input=asked))["ping"]
    assert (redirected["statusCode"], redirected["error"]) == (302, "the endpoint answered 302")
    assert len(endpoint.requests) == 2, "redirects are not followed"
    none = await payload(PING, input={**asked, "endpoint": "DISABLE"})
    assert none["userErrors"] == [{"code": "CONFLICT", "field": ["input", "endpoint"]}]
    assert await owner.fetchval("SELECT count(*) FROM product_events") == 0


async def test_old_secrets_sign_too_for_their_overlap(endpoint: Endpoint, owner: asyncpg.Connection) -> None:
    install, old = await make_install(endpoint.url)
    rotate = """mutation($input: ProductRotateProjectTokenInput!) { productRotateProjectToken(input: $input) { eventSecret } }"""
    new = (await payload(rotate, input={"id": PRODUCT, "overlapHours": 1}))["eventSecret"]

    async def sent() -> tuple[dict[str, str], str]:
        await emit(install)
        (message,) = await pending(owner)
        assert await process(message) is Outcome.DONE
        return endpoint.requests[-1]

    headers, body = await sent()
    assert Webhook(old).verify(body, headers) == Webhook(new).verify(body, headers)
    await owner.execute("UPDATE products SET previous_event_secret_until = now() - interval '1 second'")
    headers, body = await sent()
    assert Webhook(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body, headers)


async def test_products_read_what_they_missed(
    endpoint: Endpoint, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    install, _ = await make_install(endpoint.url)
    token = crypto.random_token("kpt")
    async with transaction() as session:
        (await session.get_one(Product, 1)).project_token_hash = crypto.keyed_hash(token, "project_token")
    for _ in range(5):
        await emit(install)
    transport = httpx.ASGITransport(build(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kontora.test") as http:

        async def read(**query: Any) -> httpx.Response:
            return await http.get("/api/v1/events", params=query, headers={"X-Project-Token": token})

        seen: list[int] = []
        after: dict[str, str] = {}
        while True:
            page = (await read(limit=2, **after)).json()
            seen += [event["sequence"] for event in page["events"]]
            if not page["hasMore"]:
                break
            after = {"after": page["events"][-1]["id"]}
        assert seen == [1, 2, 3, 4, 5]
        assert (await read(installId=install)).json()["events"][0]["type"] == "install.activated"
        assert (await read(installId=999)).json()["events"] == []
        assert (await read(after="evt_none")).status_code == 404
        for query in ({"limit": "0"}, {"limit": "501"}, {"limit": "x"}, {"installId": "-1"}, {"install_id": "1"}):
            assert (await read(**query)).status_code == 400
        assert (await http.get("/api/v1/events")).status_code == 401
        monkeypatch.setenv("KONTORA_USAGE_REQUESTS_PER_MINUTE", "1")
        get_settings.cache_clear()
        monkeypatch.setattr("web.project._rates", Rates())
        statuses = [(await read()).status_code for _ in range(SMALLEST_BURST_CALLS + 1)]
        assert statuses == [200] * SMALLEST_BURST_CALLS + [429]


async def test_an_event_is_read_once_none_can_come_before_it(endpoint: Endpoint, owner: asyncpg.Connection) -> None:
    slow_install, _ = await make_install(endpoint.url)
    quick_install, _ = await make_install(None, code="quick")
    back_end = Principal(kind="product", permissions=frozenset(), product_id=1)
    await owner.execute("UPDATE installs SET product_id = 1")

    async def read() -> list[int]:
        async with transaction() as session:
            told, _ = await read_events(session, back_end, after=None, install_id=None, limit=10)
        return [int(event["installId"]) for event in told]

    async with transaction() as slow:
        await events.emit(slow, await slow.get_one(Install, slow_install), "install.disabled", {})
        await emit(quick_install)
        assert await read() == [], "the slow one's number is smaller, and it is not there yet"
    assert await read() == [slow_install, quick_install]
    # The slow one's number is smaller, yet the other's event came first.
    async with transaction() as slow:
        await slow.execute(text("SELECT pg_current_xact_id()"))
        await emit(slow_install)
        await events.emit(slow, await slow.get_one(Install, slow_install), "install.disabled", {})
        assert await read() == [slow_install, quick_install]
    async with transaction() as session:
        told, _ = await read_events(session, back_end, after=None, install_id=slow_install, limit=10)
    assert [event["sequence"] for event in told] == [1, 2, 3]


async def test_a_restored_database_orders_its_events_anew(
    endpoint: Endpoint, owner: asyncpg.Connection, database_url: str
) -> None:
    install, _ = await make_install(endpoint.url)
    for _ in range(2):
        await emit(install)
    await owner.execute("UPDATE installs SET event_xid = 9000000000000")
    await owner.execute("UPDATE product_events SET order_xid = 9000000000000")
    await upgrade(database_url)
    await emit(install)
    back_end = Principal(kind="product", permissions=frozenset(), product_id=1)
    async with transaction() as session:
        told, _ = await read_events(session, back_end, after=None, install_id=None, limit=10)
    assert [event["sequence"] for event in told] == [1, 2, 3]
