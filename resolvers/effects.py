"""Doors to effects: dead letters, and the schedule."""

from __future__ import annotations

from functools import partial
from typing import Any

import strawberry

from core.database import transaction
from planner.binding import function_root
from planner.context import RunContext
from planner.scalars import write_datetime
from resolvers.inputs import key_of
from resolvers.mutation import MutationContext, mutation
from schema.effect_inputs import (
    DeadLetterDiscardInput,
    DeadLetterPayload,
    DeadLetterReplayInput,
    OutboxMessagePayload,
    OutboxMessageRetryInput,
    ProductEventPayload,
    ProductEventRedeliverInput,
    ProductEventsRedeliverFailedInput,
    ProductEventsRedeliverFailedPayload,
    ProductPingInput,
    ProductPingPayload,
    ScheduledJob,
    ScheduledJobRunInput,
    ScheduledJobRunPayload,
    ScheduledJobRunRetryInput,
)
from services import dead_letters, event_resending, jobs, schedule


async def scheduled_jobs(context: RunContext) -> list[dict[str, Any]]:
    """The jobs of the schedule by name."""
    async with transaction(context.principal) as session:
        found = await schedule.jobs(session, context.principal)
    return [
        {
            "name": job.name,
            "cron": job.cron,
            "enabled": job.enabled,
            "next_due_at": write_datetime(job.next_due_at),
            "last_fired_at": write_datetime(job.last_fired_at) if job.last_fired_at else None,
            "last_outcome": job.last_outcome,
        }
        for job in found
    ]


async def dead_letter_replay(context: MutationContext, input: DeadLetterReplayInput) -> dict[str, Any]:
    """Try work that failed for good again, with all of its attempts."""
    letter = await dead_letters.replay(
        context.session, context.actor, dead_letter_id=key_of(input.id, "DeadLetter", "id")
    )
    return {"dead_letter": letter.id}


async def dead_letter_discard(context: MutationContext, input: DeadLetterDiscardInput) -> dict[str, Any]:
    """Let work that failed for good go undone; it and its error are kept."""
    letter = await dead_letters.discard(
        context.session, context.actor, dead_letter_id=key_of(input.id, "DeadLetter", "id")
    )
    return {"dead_letter": letter.id}


async def scheduled_job_run(context: MutationContext, input: ScheduledJobRunInput) -> dict[str, Any]:
    """Fire a scheduled job now; its next due time stays (MON-3)."""
    run = await jobs.run_job(context.session, context.actor, name=input.name)
    return {"run": run.id, "outbox_message": run.outbox_message_id}


async def scheduled_job_run_retry(context: MutationContext, input: ScheduledJobRunRetryInput) -> dict[str, Any]:
    """Try a failed run of a scheduled job again, with all of its attempts (MON-3)."""
    run = await jobs.retry_run(context.session, context.actor, run_id=key_of(input.id, "ScheduledJobRun", "id"))
    return {"run": run.id, "outbox_message": run.outbox_message_id}


async def outbox_message_retry(context: MutationContext, input: OutboxMessageRetryInput) -> dict[str, Any]:
    """Try a waiting message now instead of after its back-off (MON-3)."""
    message = await jobs.retry_message(
        context.session, context.actor, message_id=key_of(input.id, "OutboxMessage", "id")
    )
    return {"outbox_message": message.id}


async def product_event_redeliver(context: MutationContext, input: ProductEventRedeliverInput) -> dict[str, Any]:
    """Send an event to its product again, whatever became of it (NOT-2)."""
    event = await event_resending.redeliver(
        context.session, context.actor, event_id=key_of(input.id, "ProductEvent", "id")
    )
    return {"product_event": event.id}


async def product_events_redeliver_failed(
    context: MutationContext, input: ProductEventsRedeliverFailedInput
) -> dict[str, Any]:
    """Send all failed events of a product again, in their order (NOT-2)."""
    count = await event_resending.redeliver_failed(
        context.session,
        context.actor,
        product_id=key_of(input.product_id, "Product", "productId"),
        since=input.since,
    )
    return {"events": count}


async def product_ping(context: MutationContext, input: ProductPingInput) -> dict[str, Any]:
    """Call an endpoint of a product with a signed `ping` event and tell what it answers (NOT-2)."""
    asked = await event_resending.ask_ping(
        context.session,
        context.actor,
        product_id=key_of(input.product_id, "Product", "productId"),
        purpose=input.endpoint,
    )
    context.after_commit(partial(event_resending.ping, asked.id))
    return {"ping": asked.id}


@strawberry.type(description="Queries of effects beyond the tables.")
class EffectsQueries:
    """Queries of effects beyond the tables."""

    scheduled_jobs: Any = function_root(scheduled_jobs, list[ScheduledJob], requires="job:read")


@strawberry.type(description="Mutations of effects.")
class EffectsMutations:
    """Mutations of effects."""

    dead_letter_replay: Any = mutation(dead_letter_replay, DeadLetterPayload, requires="dead_letter:write")
    dead_letter_discard: Any = mutation(dead_letter_discard, DeadLetterPayload, requires="dead_letter:write")
    product_event_redeliver: Any = mutation(product_event_redeliver, ProductEventPayload, requires="event:write")
    product_events_redeliver_failed: Any = mutation(
        product_events_redeliver_failed, ProductEventsRedeliverFailedPayload, requires="event:write"
    )
    product_ping: Any = mutation(product_ping, ProductPingPayload, requires="event:write")
    scheduled_job_run: Any = mutation(scheduled_job_run, ScheduledJobRunPayload, requires="job:write")
    scheduled_job_run_retry: Any = mutation(scheduled_job_run_retry, ScheduledJobRunPayload, requires="job:write")
    outbox_message_retry: Any = mutation(outbox_message_retry, OutboxMessagePayload, requires="job:write")
