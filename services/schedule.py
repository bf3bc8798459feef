"""What is told of the schedule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import Principal
from models import ScheduledJob, ScheduleFiring
from policies.scopes import require


@dataclass(frozen=True)
class JobState:
    """A job with its times."""

    name: str
    cron: str
    enabled: bool
    next_due_at: datetime
    last_fired_at: datetime | None


async def jobs(session: AsyncSession, actor: Principal) -> list[JobState]:
    """All jobs by name.

    Raises:
        Forbidden: the actor lacks ``job:read``.
    """
    require(actor, "job:read", "Query.scheduledJobs")
    last = select(func.max(ScheduleFiring.fired_at)).where(ScheduleFiring.job == ScheduledJob.name).scalar_subquery()
    rows = await session.execute(
        select(ScheduledJob.name, ScheduledJob.cron, ScheduledJob.enabled, ScheduledJob.next_due_at, last).order_by(
            ScheduledJob.name
        )
    )
    return [JobState(*row) for row in rows]
