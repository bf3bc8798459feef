"""What is told of the schedule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, true
from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import Principal
from domain.effects import JobOutcome
from models import ScheduledJob, ScheduledJobRun
from policies.scopes import require, require_all_rows


@dataclass(frozen=True)
class JobState:
    """A job with its times."""

    name: str
    cron: str
    enabled: bool
    next_due_at: datetime
    last_fired_at: datetime | None
    last_outcome: JobOutcome | None


async def jobs(session: AsyncSession, actor: Principal) -> list[JobState]:
    """All jobs by name.

    Raises:
        Forbidden: the actor lacks ``job:read``.
    """
    require(actor, "job:read", "Query.scheduledJobs")
    require_all_rows(actor, "Query.scheduledJobs")
    last = (
        select(ScheduledJobRun.created_at, ScheduledJobRun.outcome)
        .where(ScheduledJobRun.job == ScheduledJob.name)
        .order_by(ScheduledJobRun.id.desc())
        .limit(1)
        .lateral()
    )
    told = (ScheduledJob.name, ScheduledJob.cron, ScheduledJob.enabled, ScheduledJob.next_due_at, *last.c)
    rows = await session.execute(select(*told).outerjoin_from(ScheduledJob, last, true()).order_by(ScheduledJob.name))
    return [JobState(*row) for row in rows]
