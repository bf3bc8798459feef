"""Events to products: numbered, signed, retried, given up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from core.database import transaction
from core.settings import get_settings
from domain.catalog import ProductKind
from models import Install, Partner, Product
from services import events
from workers.handlers import register_handlers
from workers.outbox import Outcome, process

Connection = asyncpg.Connection


@dataclass
class Endpoint:
    """A product's back end that answers the statuses it is told to, 200 at last."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    requests: list[tuple[dict[str, str], str]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = (await reader.readexactly(int(headers["content-length"]))).decode()
        self.requests.append((headers, body))
        status = self.answers.pop(0) if self.answers else 200
        writer.write(
            f"HTTP/1.1 {status} X\r\nLocation: /other\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def endpoint(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Endpoint]:
    monkeypatch.setenv("KONTORA_ALLOW_PRIVATE_ENDPOINTS", "true")
    get_settings.cache_clear()
    register_handlers()
    made = Endpoint()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    yield made
    server.close()
    await server.wait_closed()


async def make_install(url: str | None, code: str = "widget") -> tuple[int, str]:
    async with transaction() as session:
        partner = Partner(name="Partner")
        product = Product(name="Widget", code=code, kind=next(iter(ProductKind)), activate_endpoint=url)
        session.add_all([partner, product])
        await session.flush()
        secret = events.new_secret(product)
        install = Install(partner_id=partner.id, product_id=product.id)
        session.add(install)
        await session.flush()
        return install.id, secret


async def emit(install_id: int, **data: Any) -> None:
    async with transaction() as session:
        install = await session.get_one(Install, install_id)
        await events.emit(session, install, "install.activated", data)


async def run_due(owner: Connection) -> list[Outcome]:
    await owner.execute("UPDATE outbox_messages SET available_at = now()")
    ids = await owner.fetch("SELECT id FROM outbox_messages WHERE status = 'PENDING' ORDER BY id")
    return [await process(row["id"]) for row in ids]


async def test_an_event_is_signed_numbered_and_delivered_once(endpoint: Endpoint, owner: Connection) -> None:
    install_id, secret = await make_install(endpoint.url)
    await emit(install_id, kind="Basic")
    await emit(install_id, kind="Advanced")
    assert await run_due(owner) == [Outcome.DONE, Outcome.DONE]
    assert await run_due(owner) == []
    bodies = [Webhook(secret).verify(body, headers) for headers, body in endpoint.requests]
    assert [(body["sequence"], body["type"], body["data"]["kind"]) for body in bodies] == [
        (1, "install.activated", "Basic"),
        (2, "install.activated", "Advanced"),
    ]
    assert [body["id"] for body in bodies] == [headers["webhook-id"] for headers, _ in endpoint.requests]
    assert {row["status"] for row in await owner.fetch("SELECT status FROM product_events")} == {"DELIVERED"}
    assert await owner.fetchval("SELECT count(*) FROM event_deliveries WHERE status_code = 200") == 2


async def test_a_body_that_was_changed_on_the_way_does_not_verify(endpoint: Endpoint, owner: Connection) -> None:
    install_id, secret = await make_install(endpoint.url)
    await emit(install_id, until="1.00")
    await run_due(owner)
    headers, body = endpoint.requests[0]
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace("1.00", "9.00"), headers)


async def test_a_failed_delivery_is_logged_and_holds_the_later_ones(endpoint: Endpoint, owner: Connection) -> None:
    install_id, _ = await make_install(endpoint.url)
    endpoint.answers = [500, 302]
    await emit(install_id)
    await emit(install_id)
    assert await run_due(owner) == [Outcome.RETRY, Outcome.NOT_DUE]
    delay = await owner.fetchval("SELECT available_at - now() FROM outbox_messages ORDER BY id LIMIT 1")
    assert 3 < delay.total_seconds() <= 6
    assert await run_due(owner) == [Outcome.RETRY, Outcome.NOT_DUE]
    assert await run_due(owner) == [Outcome.DONE, Outcome.DONE]
    rows = await owner.fetch("SELECT attempt, status_code, error FROM event_deliveries ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (1, 500, "the endpoint answered 500"),
        (2, 302, "the endpoint answered 302"),
        (3, 200, None),
        (1, 200, None),
    ]
    ids = [json.loads(body)["id"] for _, body in endpoint.requests]
    assert len(set(ids[:3])) == 1, "all attempts carry the same id"


async def test_an_endpoint_that_is_gone_gets_no_more_calls(endpoint: Endpoint, owner: Connection) -> None:
    install_id, _ = await make_install(endpoint.url)
    endpoint.answers = [410]
    await emit(install_id)
    assert await run_due(owner) == [Outcome.DEAD]
    assert await owner.fetchval("SELECT status FROM product_events") == "FAILED"
    assert "410" in await owner.fetchval("SELECT error FROM dead_letters")


async def test_an_unreachable_endpoint_is_tried_again(endpoint: Endpoint, owner: Connection) -> None:
    install_id, _ = await make_install("http://127.0.0.1:9/hook")
    await emit(install_id)
    assert await run_due(owner) == [Outcome.RETRY]
    assert "ConnectError" in await owner.fetchval("SELECT error FROM event_deliveries")


async def test_without_an_endpoint_the_event_is_kept_and_skipped(endpoint: Endpoint, owner: Connection) -> None:
    install_id, _ = await make_install(None)
    await emit(install_id)
    assert await owner.fetchval("SELECT status FROM product_events") == "SKIPPED"
    assert await owner.fetchval("SELECT count(*) FROM outbox_messages") == 0


async def test_events_of_one_install_written_at_once_get_different_numbers(
    endpoint: Endpoint, owner: Connection
) -> None:
    install_id, _ = await make_install(endpoint.url)
    await asyncio.gather(*(emit(install_id) for _ in range(5)))
    rows = await owner.fetch("SELECT sequence FROM product_events ORDER BY id")
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4, 5]
