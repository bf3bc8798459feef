"""Heartbeats of processes, and checks of gateways."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NOW = sa.text("now()")


def upgrade() -> None:
    """Heartbeats of processes, and checks of gateways."""
    op.create_table(
        "process_heartbeats",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("kind IN ('API', 'WORKER', 'SCHEDULER')", name=op.f("ck_process_heartbeats_kind_allowed")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_heartbeats")),
        sa.UniqueConstraint("name", name=op.f("uq_process_heartbeats_name")),
    )
    op.create_table(
        "gateway_checks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("reachable", sa.Boolean(), nullable=False),
        sa.Column("latency_ms", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_checks")),
        sa.UniqueConstraint("gateway", name=op.f("uq_gateway_checks_gateway")),
    )
