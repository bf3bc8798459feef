"""Real worker and scheduler processes over real servers: emptied, killed, doubled."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg

import workers.relay
from core.database import transaction
from services.outbox import enqueue
from workers.relay import Relay

Connection = asyncpg.Connection
Start = Callable[[str], subprocess.Popen[bytes]]
WaitUntil = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
AT_ONCE = {"resend_after": timedelta(milliseconds=200), "resend_to_busy_after": timedelta(milliseconds=500)}


async def put_many(kind: str, count: int, **options: Any) -> None:
    async with transaction() as session:
        for number in range(count):
            await enqueue(session, kind, {"name": str(number)}, **options)


def all_done(owner: Connection) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        # At the turn of a minute the schedulers fire jobs of the product, which nobody here handles.
        ours = "SELECT count(*) FROM outbox_messages WHERE status <> 'DONE' AND kind LIKE 'test.%'"
        return await owner.fetchval(ours) == 0

    return condition


async def assert_once_each(owner: Connection, count: int) -> None:
    row = await owner.fetchrow("SELECT count(*) AS all, count(DISTINCT message_id) AS different FROM effects")
    assert (row["all"], row["different"]) == (count, count)


async def test_two_schedulers_and_two_workers_do_each_thing_once_and_in_order(
    effects: Connection, start: Start, wait_until: WaitUntil
) -> None:
    for role in ("worker", "worker", "scheduler", "scheduler"):
        start(role)
    await put_many("test.effect", 100)
    await put_many("test.effect", 10, ordering_key="k")
    await wait_until(all_done(effects))
    await assert_once_each(effects, 110)
    ordered = await effects.fetch(
        "SELECT message_id FROM effects JOIN outbox_messages m ON m.id = message_id "
        "WHERE ordering_key = 'k' ORDER BY effects.id"
    )
    assert [row[0] for row in ordered] == sorted(row[0] for row in ordered)


async def test_an_emptied_redis_loses_nothing(
    effects: Connection, broker: Any, start: Start, wait_until: WaitUntil
) -> None:
    relay = Relay(broker, **AT_ONCE)
    await put_many("test.effect", 20)
    assert await relay.relay_once() == 20
    assert await relay.relay_once() == 0
    broker.client.flushall()
    start("worker")
    stopping = asyncio.Event()
    running = asyncio.create_task(relay.run(stopping))
    await wait_until(all_done(effects))
    stopping.set()
    await running
    await assert_once_each(effects, 20)


async def test_what_was_lost_on_the_way_to_a_worker_is_sent_again(
    effects: Connection, broker: Any, start: Start, wait_until: WaitUntil
) -> None:
    relay = Relay(broker, resend_after=AT_ONCE["resend_after"], resend_to_busy_after=timedelta(hours=1))
    await put_many("test.effect", 3)
    assert await relay.relay_once() == 3
    assert len(broker.do_fetch("default", 10)) == 3, "the answer to whoever asked for it is lost; it lives on"
    stopping = asyncio.Event()
    running = asyncio.create_task(relay.run(stopping))
    start("worker")
    await wait_until(all_done(effects))
    stopping.set()
    await running
    await assert_once_each(effects, 3)


async def test_a_worker_killed_in_the_middle_is_taken_over(
    effects: Connection, broker: Any, start: Start, wait_until: WaitUntil
) -> None:
    async def claimed() -> bool:
        return await effects.fetchval("SELECT count(*) FROM outbox_messages WHERE locked_until > now()") > 0

    victim = start("worker")
    stopping = asyncio.Event()
    running = asyncio.create_task(Relay(broker, **AT_ONCE).run(stopping))
    await put_many("test.slow", 1)
    await wait_until(claimed)
    victim.kill()
    victim.wait()
    assert await effects.fetchval("SELECT count(*) FROM effects") == 0
    start("worker")
    await wait_until(all_done(effects))
    stopping.set()
    await running
    await assert_once_each(effects, 1)
    assert await effects.fetchval("SELECT attempts FROM outbox_messages") == 2


async def test_sigterm_lets_the_message_in_hand_finish(
    effects: Connection, broker: Any, start: Start, wait_until: WaitUntil
) -> None:
    async def claimed() -> bool:
        return await effects.fetchval("SELECT count(*) FROM outbox_messages WHERE locked_until > now()") > 0

    worker = start("worker")
    await put_many("test.slow", 1)
    await Relay(broker).relay_once()
    await wait_until(claimed)
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 60) == 0
    await assert_once_each(effects, 1)


async def test_the_relay_waits_for_a_redis_that_is_down(
    effects: Connection, broker: Any, start: Start, wait_until: WaitUntil, monkeypatch: Any
) -> None:
    import redis.exceptions

    def refuse(*_arguments: Any) -> int:
        raise redis.exceptions.ConnectionError("down")

    stopping = asyncio.Event()
    with monkeypatch.context() as down:
        down.setattr(workers.relay, "waiting", refuse)
        relay = Relay(broker)
        running = asyncio.create_task(relay.run(stopping))
        await put_many("test.effect", 3)
        await asyncio.sleep(0.3)
        assert await effects.fetchval("SELECT count(*) FROM outbox_messages WHERE sent_at IS NOT NULL") == 0
    start("worker")
    await wait_until(all_done(effects))
    stopping.set()
    await running


async def test_messages_that_redis_refused_are_sent_by_the_next_round(effects: Connection, broker: Any) -> None:
    import pytest
    import redis.exceptions

    relay = Relay(broker)
    await put_many("test.effect", 3)
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*_arguments: Any, **_options: Any) -> None:
            raise redis.exceptions.ConnectionError("down")

        patch.setattr(broker, "enqueue", refuse)
        with pytest.raises(redis.exceptions.ConnectionError):
            await relay.relay_once()
    assert await relay.relay_once() == 3
