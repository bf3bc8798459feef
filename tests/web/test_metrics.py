"""What Prometheus is told, and whom it is told to (MON-2)."""

from __future__ import annotations

import asyncpg
import httpx
import pytest

from core import metrics
from core.settings import get_settings
from web.app import build, routes

HERE = {"host": "localhost:8000"}


async def value(http: httpx.AsyncClient, name: str, **headers: str) -> float | None:
    """One figure of the whole answer."""
    answer = await http.get("/metrics", headers={**HERE, **headers})
    assert answer.status_code == 200
    for line in answer.text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.rpartition(" ")[2])
    return None


async def test_requests_and_waiting_work_are_counted(http: httpx.AsyncClient, owner: asyncpg.Connection) -> None:
    name = 'kontora_requests_total{door="other",status="404"}'
    before = await value(http, name) or 0
    for path in ("/no-such-page", "/another/one"):
        assert (await http.get(path)).status_code == 404
    assert await value(http, name) == before + 2
    await owner.execute(
        "INSERT INTO outbox_messages (kind, payload, available_at) "
        "VALUES ('event.deliver', '{}', now() - interval '2 minutes'), ('event.deliver', '{}', now() + interval '1 day')"
    )
    assert await value(http, 'kontora_outbox_pending{kind="event.deliver"}') == 2
    oldest = await value(http, 'kontora_outbox_oldest_seconds{kind="event.deliver"}')
    assert oldest is not None
    assert 119 <= oldest < 180
    assert await value(http, 'kontora_processes_alive{kind="WORKER"}') == 0
    assert (await value(http, "process_start_time_seconds") or 0) > 1_700_000_000


async def test_a_token_is_asked_for_where_one_is_set(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONTORA_METRICS_TOKEN", "let-me-in")
    get_settings.cache_clear()
    for wrong in ({}, {"authorization": "Bearer let-me"}, {"authorization": "let-me-in"}):
        assert (await http.get("/metrics", headers=wrong)).status_code == 401
    assert (await http.get("/metrics", headers={"authorization": "Bearer let-me-in"})).status_code == 200


@pytest.mark.parametrize(
    ("peer", "headers", "public_url"),
    [
        ("203.0.113.7", {}, None),
        ("127.0.0.1", {"x-forwarded-for": "203.0.113.7"}, None),
        ("127.0.0.1", {"via": "1.1 proxy"}, None),
        # A name that leads here, of a proxy or of a page that has its name lead here.
        ("127.0.0.1", {"host": "kontora.example"}, None),
        ("127.0.0.1", {}, "https://kontora.example"),
    ],
)
async def test_only_its_own_machine_learns_anything_without_a_token(
    database_url: str, monkeypatch: pytest.MonkeyPatch, peer: str, headers: dict[str, str], public_url: str | None
) -> None:
    if public_url is not None:
        monkeypatch.setenv("KONTORA_PUBLIC_URL", public_url)
        get_settings.cache_clear()
    transport = httpx.ASGITransport(build(), client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        assert (await client.get("/metrics", headers=headers)).status_code == 401
        assert (await client.get("/sandbox/mail", headers=headers)).status_code == 404


def test_every_door_is_counted_by_its_name() -> None:
    paths = {getattr(route, "path", "/") for route in routes()} - {"/"}
    assert {path for path in paths if metrics.door(path) == metrics.OTHER} == set()
