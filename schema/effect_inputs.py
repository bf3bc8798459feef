"""Inputs and payloads of the doors to effects: dead letters, and the schedule."""

from __future__ import annotations

from typing import Any

import strawberry

from domain.effects import EndpointPurpose, JobOutcome
from planner.binding import graphql_enum, object_value, plain, value
from planner.scalars import DateTime
from schema.payload import KeyedInput, Payload

for _enum in (EndpointPurpose, JobOutcome):
    graphql_enum(_enum)


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


@strawberry.input(description="A failed run of a scheduled job to try again.")
class ScheduledJobRunRetryInput(KeyedInput):
    """A failed run of a scheduled job to try again."""

    id: strawberry.ID = strawberry.field(description="The run.")


@strawberry.input(description="A waiting message to try before its back-off ends.")
class OutboxMessageRetryInput(KeyedInput):
    """A waiting message to try before its back-off ends."""

    id: strawberry.ID = strawberry.field(description="The message.")


@plain(requires="", description="Work that a worker takes up now.")
class OutboxMessagePayload(Payload):
    """Work that a worker takes up now."""

    outbox_message: Any = object_value("schema.effects.OutboxMessage", "The message; null where there are user errors.")


@plain(requires="", description="A run of a scheduled job that a worker takes up now.")
class ScheduledJobRunPayload(Payload):
    """A run of a scheduled job that a worker takes up now."""

    run: Any = object_value("schema.jobs.ScheduledJobRun", "The run; null where there are user errors.")
    outbox_message: Any = object_value("schema.effects.OutboxMessage", "Its message; null where there are user errors.")


@strawberry.input(description="An event to send again.")
class ProductEventRedeliverInput(KeyedInput):
    """An event to send again."""

    id: strawberry.ID = strawberry.field(description="The event.")


@strawberry.input(description="Failed events to send again.")
class ProductEventsRedeliverFailedInput(KeyedInput):
    """Failed events to send again."""

    product_id: strawberry.ID = strawberry.field(description="The product.")
    since: DateTime = strawberry.field(description="Events that happened at this moment or later.")


@strawberry.input(description="An endpoint to try.")
class ProductPingInput(KeyedInput):
    """An endpoint to try."""

    product_id: strawberry.ID = strawberry.field(description="The product.")
    endpoint: EndpointPurpose = strawberry.field(description="Which of its endpoints.")


@plain(requires="", description="An event on its way again.")
class ProductEventPayload(Payload):
    """An event on its way again."""

    product_event: Any = object_value("schema.effects.ProductEvent", "The event; null where there are user errors.")


@plain(requires="", description="How many events are on their way again.")
class ProductEventsRedeliverFailedPayload(Payload):
    """How many events are on their way again."""

    events: int | None = value("At most 1,000: ask again until it is 0; null where there are user errors.")


@plain(requires="", description="What came of a test call.")
class ProductPingPayload(Payload):
    """What came of a test call."""

    ping: Any = object_value("schema.effects.EventPing", "The call; null where there are user errors.")


@plain(requires="job:read", description="A job that is due at the times of a cron expression.")
class ScheduledJob:
    """A job that is due at the times of a cron expression."""

    name: str = value("Name, and kind of the outbox message that a firing writes.")
    cron: str = value("Times in UTC, as a cron expression.")
    enabled: bool = value("Whether it fires.")
    next_due_at: DateTime = value("When it is due next.")
    last_fired_at: DateTime | None = value("When it was last fired; null if never.")
    last_outcome: JobOutcome | None = value("What came of its last run.")
