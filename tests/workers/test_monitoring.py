"""Signs of life, reachability of gateways, and the one answer that says how the system does (MON-2)."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.database import transaction
from core.settings import get_settings
from domain.monitoring import HealthStatus, ProcessKind, overall
from gateways.interface import GatewayUnanswered
from gateways.sandbox.client import SandboxGateway
from services import monitoring
from tests.api import payload
from tests.workers.conftest import eventually

HEALTH = """
{ systemHealth { status redis { reachable } queues { kind pending due oldestSeconds deadLetters }
  processes { kind alive seenAt endedAt } gateways { gateway reachable error } requests { count p95Ms } database { latencyMs } } }
"""
BOTH = (ProcessKind.WORKER, ProcessKind.SCHEDULER)


async def beat(*kinds: ProcessKind) -> None:
    for kind in kinds:
        async with transaction() as session:
            await monitoring.beat(session, kind)


async def test_all_is_well_where_everybody_is_there(owner: asyncpg.Connection, redis_url: str) -> None:
    assert (await payload(HEALTH))["status"] == "DEGRADED"
    await beat(*BOTH)
    told = await payload(HEALTH)
    assert told["status"] == "OK"
    assert [(process["kind"], process["alive"]) for process in told["processes"]] == [
        ("SCHEDULER", True),
        ("WORKER", True),
    ]
    assert told["database"]["latencyMs"] > 0


async def test_a_silent_process_is_gone_and_forgotten(owner: asyncpg.Connection, redis_url: str) -> None:
    await beat(*BOTH)
    await owner.execute("UPDATE process_heartbeats SET seen_at = now() - interval '1 minute' WHERE kind = 'WORKER'")
    told = await payload(HEALTH)
    assert told["status"] == "DEGRADED"
    assert {process["kind"]: process["alive"] for process in told["processes"]} == {"WORKER": False, "SCHEDULER": True}
    await owner.execute("UPDATE process_heartbeats SET seen_at = now() - interval '2 days' WHERE kind = 'WORKER'")
    await beat(ProcessKind.SCHEDULER)
    assert [process["kind"] for process in (await payload(HEALTH))["processes"]] == ["SCHEDULER"]


async def test_work_that_nobody_takes_is_seen(owner: asyncpg.Connection, redis_url: str) -> None:
    await beat(*BOTH)
    await owner.execute(
        "INSERT INTO outbox_messages (kind, payload, available_at) VALUES ('a.b', '{}', now() - interval '10 minutes')"
    )
    told = await payload(HEALTH)
    assert told["status"] == "DEGRADED"
    assert told["queues"][0]["due"] == 1
    assert told["queues"][0]["oldestSeconds"] >= 600


async def test_without_redis_it_still_answers(
    owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    await beat(*BOTH)
    monkeypatch.setenv("KONTORA_REDIS_URL", "redis://127.0.0.1:1/0")
    get_settings.cache_clear()
    told = await payload(HEALTH)
    assert (told["status"], told["redis"]) == ("DEGRADED", {"reachable": False})


async def test_a_gateway_that_does_not_answer_is_told(
    owner: asyncpg.Connection, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await beat(*BOTH)
    await monitoring.check_gateways()
    assert (await payload(HEALTH))["status"] == "OK"

    async def silent(_self: Any) -> None:
        raise GatewayUnanswered("nobody there")

    monkeypatch.setattr(SandboxGateway, "ping", silent)
    await monitoring.check_gateways()
    told = await payload(HEALTH)
    assert told["status"] == "DEGRADED"
    assert told["gateways"] == [{"gateway": "sandbox", "reachable": False, "error": "nobody there"}]


async def test_every_configured_service_is_asked(
    owner: asyncpg.Connection, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        open_port = listening.getsockname()[1]
        settings = {
            "TBANK_URL": "http://127.0.0.1:1/v2/",
            "TBANK_TERMINAL_KEY": "key",
            "TBANK_PASSWORD": "password",
            "AMOCRM_EMULATOR_URL": "http://127.0.0.1:1/amo",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(open_port),
            "CLAMAV": f"tcp://127.0.0.1:{open_port}",
        }
        for name, value in settings.items():
            monkeypatch.setenv(f"KONTORA_{name}", value)
        get_settings.cache_clear()
        await owner.execute(
            "INSERT INTO gateway_checks (gateway, reachable, latency_ms, checked_at) VALUES ('gone', false, 1, now())"
        )
        for _ in range(2):
            await monitoring.check_gateways()
    told = {gateway["gateway"]: gateway["reachable"] for gateway in (await payload(HEALTH))["gateways"]}
    assert told == {"sandbox": True, "tbank": False, "amocrm": False, "smtp": True, "clamav": True}


async def test_real_processes_beat_and_say_good_bye(
    owner: asyncpg.Connection, broker: Any, start: Callable[[str], subprocess.Popen[bytes]], effects: Any
) -> None:
    worker, scheduler = start("worker"), start("scheduler")

    async def seen(*kinds: str) -> bool:
        rows = await owner.fetch("SELECT kind FROM process_heartbeats WHERE ended_at IS NULL ORDER BY kind")
        return [row["kind"] for row in rows] == list(kinds)

    await eventually(lambda: seen("SCHEDULER", "WORKER"))
    worker.terminate()
    await eventually(lambda: seen("SCHEDULER"))
    scheduler.kill()
    await asyncio.to_thread(scheduler.wait)
    # Whoever is killed says nothing; its silence tells later.
    assert await seen("SCHEDULER")
    # A restart is a life of its own beside the one that ended.
    start("worker")
    await eventually(lambda: seen("SCHEDULER", "WORKER"))
    lives = [life for life in (await payload(HEALTH))["processes"] if life["kind"] == "WORKER"]
    assert [(life["alive"], life["endedAt"] is None) for life in lives] == [(True, True), (False, False)]


@given(*[st.booleans()] * 5)
def test_one_trouble_is_enough(database: bool, redis: bool, missing: bool, late: bool, gateways: bool) -> None:
    status = overall(database=database, redis=redis, missing=missing, late=late, gateways=gateways)
    troubles = [not redis, missing, late, not gateways]
    assert status == (
        HealthStatus.DOWN if not database else HealthStatus.DEGRADED if any(troubles) else HealthStatus.OK
    )
