"""Runs of scheduled jobs, lives of processes, and the trace that a message goes on with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Runs of scheduled jobs, lives of processes, and the trace that a message goes on with."""
    op.create_table(
        "scheduled_job_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outbox_message_id", sa.BigInteger(), nullable=True),
        sa.Column("asked_by_user_id", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=32), server_default="PENDING", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('PENDING', 'DONE', 'FAILED', 'SKIPPED')", name=op.f("ck_scheduled_job_runs_outcome_allowed")
        ),
        sa.ForeignKeyConstraint(
            ["asked_by_user_id"], ["users.id"], name=op.f("fk_scheduled_job_runs_asked_by_user_id")
        ),
        sa.ForeignKeyConstraint(["job"], ["scheduled_jobs.name"], name=op.f("fk_scheduled_job_runs_job")),
        sa.ForeignKeyConstraint(
            ["outbox_message_id"],
            ["outbox_messages.id"],
            name=op.f("fk_scheduled_job_runs_outbox_message_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_job_runs")),
        sa.UniqueConstraint("job", "due_at", name=op.f("uq_scheduled_job_runs_job_due_at")),
    )
    op.create_index("ix_scheduled_job_runs_job", "scheduled_job_runs", ["job", "id"], unique=False)
    op.create_index(
        op.f("ix_scheduled_job_runs_outbox_message_id"), "scheduled_job_runs", ["outbox_message_id"], unique=False
    )
    op.create_index("ix_scheduled_job_runs_outcome", "scheduled_job_runs", ["outcome", "id"], unique=False)
    # Living processes say so again within seconds.
    op.execute("DELETE FROM process_heartbeats")
    op.drop_table("schedule_firings")
    op.add_column("outbox_messages", sa.Column("started_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("outbox_messages", sa.Column("traceparent", sa.Text(), nullable=True))
    op.add_column("process_heartbeats", sa.Column("run", sa.Text(), nullable=False))
    op.add_column("process_heartbeats", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("uq_process_heartbeats_name"), "process_heartbeats", type_="unique")
    op.create_unique_constraint(op.f("uq_process_heartbeats_run"), "process_heartbeats", ["run"])
