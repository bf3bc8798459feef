"""Runs of scheduled jobs as the API shows them (MON-3)."""

from __future__ import annotations

from typing import Any

import models
from planner.binding import Node, at_least, before, bound, column, equals, filter_input, order_input, sql, to_one
from schema.effects import redacted

ScheduledJobRunFilter = filter_input(
    "ScheduledJobRun",
    {
        "job": equals(models.ScheduledJobRun.job, "Only of this job."),
        "outcome": equals(models.ScheduledJobRun.outcome, "Only with this outcome."),
        "due_from": at_least(models.ScheduledJobRun.due_at, "Due at this moment or later."),
        "due_before": before(models.ScheduledJobRun.due_at, "Due before this moment."),
    },
)
ScheduledJobRunOrder = order_input("ScheduledJobRun")


@bound(models.ScheduledJobRun, requires="job:read", description="One run of a scheduled job (MON-3).")
class ScheduledJobRun(Node):
    """One run of a scheduled job."""

    job: str = column(models.ScheduledJobRun.job, "Name of the job.")
    due_at: Any = column(models.ScheduledJobRun.due_at, "When it was due, or a person asked for it.")
    outcome: Any = column(models.ScheduledJobRun.outcome, "What came of it.")
    attempts: int = column(models.ScheduledJobRun.attempts, "Attempts it took; 0 while it waits or runs.")
    started_at: Any = column(models.ScheduledJobRun.started_at, "When its last attempt began; null until it has ended.")
    finished_at: Any = column(models.ScheduledJobRun.finished_at, "When it ended; null while it waits or runs.")
    duration_ms: int | None = sql(
        "(extract(epoch FROM {row}.finished_at - {row}.started_at) * 1000)::int",
        int | None,
        "int",
        "How long the last attempt took, milliseconds.",
    )
    error: Any = redacted("error", str | None, "Why it failed; what may name a person is masked.")
    full_error: Any = column(models.ScheduledJobRun.error, "The error without masks.", requires="partner:pii")
    created_at: Any = column(models.ScheduledJobRun.created_at, "When it was fired.")
    outbox_message: Any = to_one(
        "schema.effects.OutboxMessage",
        models.ScheduledJobRun.outbox_message_id,
        "Its message, with what goes on now; null where it was skipped, and once the message is forgotten.",
    )
    asked_by: Any = to_one(
        "schema.access.User",
        models.ScheduledJobRun.asked_by_user_id,
        "The person who ran it before its time; null where the schedule did.",
        requires="user:read",
    )
