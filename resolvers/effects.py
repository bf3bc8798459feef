"""Doors to effects: dead letters, and the schedule."""

from __future__ import annotations

from typing import Any

import strawberry

from core.database import transaction
from planner.binding import function_root
from planner.run import RunContext
from planner.scalars import write_datetime
from resolvers.inputs import key_of
from resolvers.mutation import MutationContext, mutation
from schema.effect_inputs import DeadLetterDiscardInput, DeadLetterPayload, DeadLetterReplayInput, ScheduledJob
from services import dead_letters, schedule


async def scheduled_jobs(context: RunContext) -> list[dict[str, Any]]:
    """The jobs of the schedule by name."""
    async with transaction(context.principal) as session:
        jobs = await schedule.jobs(session, context.principal)
    return [
        {
            "name": job.name,
            "cron": job.cron,
            "enabled": job.enabled,
            "next_due_at": write_datetime(job.next_due_at),
            "last_fired_at": write_datetime(job.last_fired_at) if job.last_fired_at else None,
        }
        for job in jobs
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


@strawberry.type(description="Queries of effects beyond the tables.")
class EffectsQueries:
    """Queries of effects beyond the tables."""

    scheduled_jobs: Any = function_root(
        scheduled_jobs, list[ScheduledJob], "job:read", "The jobs of the schedule by name."
    )


@strawberry.type(description="Mutations of effects.")
class EffectsMutations:
    """Mutations of effects."""

    dead_letter_replay: Any = mutation(dead_letter_replay, DeadLetterPayload, requires="job:write")
    dead_letter_discard: Any = mutation(dead_letter_discard, DeadLetterPayload, requires="job:write")
