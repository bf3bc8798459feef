"""Named jobs fire once per due time, whoever comes first."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg

from core import clock
from core.database import transaction
from workers.schedule import JOBS, fire_due, next_due, sync_jobs

Connection = asyncpg.Connection
NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
EVERY_MINUTE = {"test.effect": "* * * * *"}


async def sync(jobs: dict[str, str]) -> None:
    async with transaction() as session:
        await sync_jobs(session, jobs)


async def fire() -> list[str]:
    async with transaction() as session:
        return await fire_due(session)


async def test_a_due_job_fires_once_for_all_schedulers(owner: Connection) -> None:
    clock.travel(NOON)
    await sync(EVERY_MINUTE)
    assert await fire() == []
    clock.travel(NOON + timedelta(minutes=1))
    fired = await asyncio.gather(*(fire() for _ in range(8)))
    assert [job for jobs in fired for job in jobs] == ["test.effect"]
    assert await owner.fetchval("SELECT count(*) FROM scheduled_job_runs") == 1
    assert await owner.fetchval("SELECT payload->>'dueAt' FROM outbox_messages") == "2026-03-01T12:01:00+00:00"
    assert await owner.fetchval("SELECT next_due_at FROM scheduled_jobs") == datetime(2026, 3, 1, 12, 2, tzinfo=UTC)


async def test_a_due_time_in_the_ledger_never_fires_again(owner: Connection) -> None:
    clock.travel(NOON)
    await sync(EVERY_MINUTE)
    due = await owner.fetchval("SELECT next_due_at FROM scheduled_jobs")
    await owner.execute("INSERT INTO scheduled_job_runs (job, due_at) VALUES ('test.effect', $1)", due)
    clock.travel(NOON + timedelta(minutes=1))
    assert await fire() == []


async def test_a_long_pause_is_made_up_by_one_firing(owner: Connection) -> None:
    clock.travel(NOON)
    await sync(EVERY_MINUTE)
    clock.travel(NOON + timedelta(days=2))
    assert await fire() == ["test.effect"]
    assert await fire() == []


async def test_a_job_whose_message_still_waits_gets_no_second_one(owner: Connection) -> None:
    clock.travel(NOON)
    await sync(EVERY_MINUTE)
    for minute in (1, 2, 3):
        clock.travel(NOON + timedelta(minutes=minute))
        await fire()
    assert await owner.fetchval("SELECT count(*) FROM outbox_messages") == 1
    assert await owner.fetchval("SELECT count(*) FROM scheduled_job_runs") == 3


async def test_a_job_switched_off_stays_off_over_restarts(owner: Connection) -> None:
    clock.travel(NOON)
    await sync(EVERY_MINUTE)
    await owner.execute("UPDATE scheduled_jobs SET enabled = false")
    await sync({"test.effect": "*/2 * * * *"})
    clock.travel(NOON + timedelta(hours=1))
    assert await fire() == []
    assert await owner.fetchval("SELECT cron FROM scheduled_jobs") == "*/2 * * * *"


async def test_a_job_that_is_no_more_leaves_the_table(owner: Connection) -> None:
    await sync(EVERY_MINUTE)
    await sync({})
    assert await owner.fetchval("SELECT count(*) FROM scheduled_jobs") == 0


def test_the_times_of_all_jobs_are_valid() -> None:
    for cron in JOBS.values():
        assert next_due(cron, NOON) > NOON
