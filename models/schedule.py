"""Named jobs with cron times, and the record of each run."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.effects import JobOutcome
from models.base import Base, Keyed, StrEnumColumn, checked


class ScheduledJob(Base):
    """A job that is due at the times of a cron expression."""

    __tablename__ = "scheduled_jobs"

    name: Mapped[str] = mapped_column(primary_key=True)
    cron: Mapped[str]
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    next_due_at: Mapped[datetime]


class ScheduledJobRun(Keyed, Base):
    """One run of a job; the key over job and due time makes sure that it fires once whoever comes first (MON-3)."""

    __tablename__ = "scheduled_job_runs"
    __table_args__ = (
        UniqueConstraint("job", "due_at"),
        checked("outcome", JobOutcome),
        Index("ix_scheduled_job_runs_job", "job", "id"),
        Index(None, "due_at"),
        Index("ix_scheduled_job_runs_outcome", "outcome", "id"),
    )

    job: Mapped[str] = mapped_column(ForeignKey("scheduled_jobs.name"))
    due_at: Mapped[datetime]
    outbox_message_id: Mapped[int | None] = mapped_column(
        ForeignKey("outbox_messages.id", ondelete="SET NULL"), index=True
    )
    asked_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    outcome: Mapped[JobOutcome] = mapped_column(StrEnumColumn(JobOutcome), server_default="PENDING")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None]
