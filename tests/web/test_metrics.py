"""What Prometheus is told, and whom it is told to (MON-2)."""

from __future__ import annotations

import asyncpg
import httpx
import pytest

from core.settings import get_settings


async def value(http: httpx.AsyncClient, name: str, **headers: str) -> float | None:
    """One figure of the whole answer."""
    answer = await http.get("/metrics", headers=headers)
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


async def test_a_token_is_asked_for_where_one_is_set(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONTORA_METRICS_TOKEN", "let-me-in")
    get_settings.cache_clear()
    for wrong in ({}, {"authorization": "Bearer let-me"}, {"authorization": "let-me-in"}):
        assert (await http.get("/metrics", headers=wrong)).status_code == 401
    assert (await http.get("/metrics", headers={"authorization": "Bearer let-me-in"})).status_code == 200


async def test_other_machines_learn_nothing_without_a_token(database_url: str) -> None:
    from web.app import build

    transport = httpx.ASGITransport(build(), client=("203.0.113.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://kontora.test") as client:
        assert (await client.get("/metrics")).status_code == 401
