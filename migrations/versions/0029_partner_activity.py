"""What products tell of partners' activity."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What products tell of partners' activity."""
    op.create_table(
        "partner_activities",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("idle_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_partner_activities_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_activities")),
        sa.UniqueConstraint("partner_id", name=op.f("uq_partner_activities_partner_id")),
    )
    op.create_index("ix_partner_activities_idle", "partner_activities", ["idle_since", "id"], unique=False)
    op.create_table(
        "partner_metrics",
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("install_id", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("value >= 0", name=op.f("ck_partner_metrics_value_not_negative")),
        sa.ForeignKeyConstraint(["install_id"], ["installs.id"], name=op.f("fk_partner_metrics_install_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_partner_metrics_partner_id")),
        sa.PrimaryKeyConstraint("partner_id", "metric", "day", "install_id", name=op.f("pk_partner_metrics")),
    )
    op.create_index("ix_partner_metrics_day", "partner_metrics", ["day"], unique=False)
    op.execute(
        """
        INSERT INTO partner_activities (partner_id, idle_since)
        SELECT partner_id, min(created_at) FROM installs GROUP BY partner_id
        """
    )
