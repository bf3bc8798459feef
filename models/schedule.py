"""Named jobs with cron times, and the record of each firing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class ScheduledJob(Base):
    """A job that is due at the times of a cron expression."""

    __tablename__ = "scheduled_jobs"

    name: Mapped[str] = mapped_column(primary_key=True)
    cron: Mapped[str]
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    next_due_at: Mapped[datetime]


class ScheduleFiring(Base):
    """One firing; the key makes sure that a due time fires once whoever comes first."""

    __tablename__ = "schedule_firings"

    job: Mapped[str] = mapped_column(ForeignKey("scheduled_jobs.name"), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    fired_at: Mapped[datetime] = mapped_column(server_default=func.now())
