"""Jobs run before their time, and messages tried before their back-off ends (MON-3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from core import clock
from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from policies.roles import ROLES
from services.outbox import enqueue
from tests.api import payload, run
from workers.outbox import Outcome, process
from workers.schedule import fire_due, sync_jobs

Connection = asyncpg.Connection
DEVELOPER = Principal(kind="staff", permissions=ROLES["DEVELOPER"][1], roles=("DEVELOPER",))
RUN = """
mutation($input: ScheduledJobRunInput!) { scheduledJobRun(input: $input) {
  outboxMessage { kind status } run { outcome } userErrors { code field } } }
"""
RETRY = """
mutation($input: OutboxMessageRetryInput!) { outboxMessageRetry(input: $input) {
  outboxMessage { status attempts } userErrors { code field } } }
"""


@pytest.fixture
async def jobs(owner: Connection) -> None:
    """One job in the schedule."""
    async with transaction() as session:
        await sync_jobs(session, {"test.effect": "0 3 * * *"})


async def test_a_job_runs_before_its_time_and_not_twice(jobs: None, owner: Connection) -> None:
    due = await owner.fetchval("SELECT next_due_at FROM scheduled_jobs")
    asked = {"name": "test.effect"}
    made = await payload(RUN, DEVELOPER, input=asked)
    message = {"kind": "test.effect", "status": "PENDING"}
    assert made == {"outboxMessage": message, "run": {"outcome": "PENDING"}, "userErrors": []}
    again = await payload(RUN, DEVELOPER, input=asked)
    assert again["userErrors"] == [{"code": "JOB_WAITING", "field": ["input", "name"]}]
    assert await owner.fetchval("SELECT count(*) FROM outbox_messages") == 1
    assert await owner.fetchval("SELECT next_due_at FROM scheduled_jobs") == due
    assert await owner.fetchval("SELECT action FROM audit_events") == "scheduled_job.run"
    unknown = await payload(RUN, DEVELOPER, input={"name": "no.such"})
    assert unknown["userErrors"] == [{"code": "NOT_FOUND", "field": ["input", "name"]}]


async def test_runs_are_listed_with_what_came_of_them_and_a_failed_one_is_tried_again(effects: Connection) -> None:
    runs = """query($outcome: JobOutcome) { scheduledJobRuns(filter: {job: "test.hopeless", outcome: $outcome}) {
      nodes { id outcome attempts durationMs error finishedAt } } }"""
    retry = """mutation($input: ScheduledJobRunRetryInput!) { scheduledJobRunRetry(input: $input) {
      run { outcome finishedAt } outboxMessage { status attempts } userErrors { code field } } }"""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    clock.travel(noon)
    async with transaction() as session:
        await sync_jobs(session, {"test.hopeless": "* * * * *"})
    for minute in (1, 2):
        clock.travel(noon + timedelta(minutes=minute))
        async with transaction() as session:
            await fire_due(session)
    listed = (await payload(runs, DEVELOPER))["nodes"]
    assert [run["outcome"] for run in listed] == ["SKIPPED", "PENDING"]
    message = await effects.fetchval("SELECT id FROM outbox_messages")
    for _ in range(2):
        assert await process(message) is Outcome.DEAD
        (failed,) = (await payload(runs, DEVELOPER, outcome="FAILED"))["nodes"]
        assert failed["attempts"] == 1
        assert failed["durationMs"] >= 0
        assert "PermanentFailure" in failed["error"]
        asked = {"id": failed["id"]}
        again = await payload(retry, DEVELOPER, input=asked)
        assert again["run"] == {"outcome": "PENDING", "finishedAt": None}
        assert again["outboxMessage"] == {"status": "PENDING", "attempts": 0}
        refused = await payload(retry, DEVELOPER, input=asked)
        assert refused["userErrors"] == [{"code": "RUN_NOT_FAILED", "field": ["input", "id"]}]
    jobs = await payload_list("{ scheduledJobs { name lastOutcome } }")
    assert jobs == [{"name": "test.hopeless", "lastOutcome": "SKIPPED"}]


async def payload_list(source: str) -> list[dict[str, Any]]:
    answer = await run(source, DEVELOPER)
    (found,) = answer["data"].values()
    listed: list[dict[str, Any]] = found
    return listed


async def test_a_waiting_message_is_tried_now(effects: Connection) -> None:
    async with transaction() as session:
        message_id = await enqueue(session, "test.effect", {"name": "x"}, delay=timedelta(hours=1))
    assert await process(message_id) is Outcome.NOT_DUE
    asked = {"id": encode_id("OutboxMessage", message_id)}
    assert (await payload(RETRY, DEVELOPER, input=asked))["userErrors"] == []
    assert await process(message_id) is Outcome.DONE
    late = await payload(RETRY, DEVELOPER, input=asked)
    assert late["userErrors"] == [{"code": "CONFLICT", "field": ["input", "id"]}]


async def test_a_message_in_hand_is_left_alone(effects: Connection) -> None:
    async with transaction() as session:
        message_id = await enqueue(session, "test.effect", {"name": "x"})
    await effects.execute("UPDATE outbox_messages SET locked_until = now() + interval '1 minute'")
    made = await payload(RETRY, DEVELOPER, input={"id": encode_id("OutboxMessage", message_id)})
    assert made["userErrors"] == [{"code": "MESSAGE_RUNNING", "field": ["input", "id"]}]


async def test_readers_of_jobs_run_nothing(jobs: None) -> None:
    reader = Principal(kind="staff", permissions=frozenset({"job:read", "partner:all_rows"}))
    answer = await run(RUN, reader, input={"name": "test.effect"})
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
