"""Inputs and payloads of the doors to effects: dead letters, and the schedule."""

from __future__ import annotations

from typing import Any

import strawberry

from planner.binding import object_value, plain, value
from planner.scalars import DateTime
from schema.payload import KeyedInput, Payload


@strawberry.input(description="Work that failed for good and is to be tried again.")
class DeadLetterReplayInput(KeyedInput):
    """Work that failed for good and is to be tried again."""

    id: strawberry.ID = strawberry.field(description="The dead letter.")


@strawberry.input(description="Work that failed for good and is to be let go.")
class DeadLetterDiscardInput(KeyedInput):
    """Work that failed for good and is to be let go."""

    id: strawberry.ID = strawberry.field(description="The dead letter.")


@plain(requires="", description="A dead letter after the decision.")
class DeadLetterPayload(Payload):
    """A dead letter after the decision."""

    dead_letter: Any = object_value("schema.effects.DeadLetter", "The dead letter; null where there are user errors.")


@strawberry.input(description="A scheduled job to run before its time.")
class ScheduledJobRunInput(KeyedInput):
    """A scheduled job to run before its time."""

    name: str = strawberry.field(description="Its name, of `scheduledJobs`.")


@strawberry.input(description="A waiting message to try before its back-off ends.")
class OutboxMessageRetryInput(KeyedInput):
    """A waiting message to try before its back-off ends."""

    id: strawberry.ID = strawberry.field(description="The message.")


@plain(requires="", description="Work that a worker takes up now.")
class OutboxMessagePayload(Payload):
    """Work that a worker takes up now."""

    outbox_message: Any = object_value("schema.effects.OutboxMessage", "The message; null where there are user errors.")


@plain(requires="job:read", description="A job that is due at the times of a cron expression.")
class ScheduledJob:
    """A job that is due at the times of a cron expression."""

    name: str = value("Name, and kind of the outbox message that a firing writes.")
    cron: str = value("Times in UTC, as a cron expression.")
    enabled: bool = value("Whether it fires.")
    next_due_at: DateTime = value("When it is due next.")
    last_fired_at: DateTime | None = value("When it was last fired; null if never.")
