"""Ends of subscriptions are announced once each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Ends of subscriptions are announced once each."""
    op.create_table(
        "subscription_notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("days_before", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("days_before >= 1", name=op.f("ck_subscription_notices_days_before_positive")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_subscription_notices_partner_id")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_subscription_notices_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_notices")),
        sa.UniqueConstraint(
            "subscription_id",
            "ends_at",
            "days_before",
            name=op.f("uq_subscription_notices_subscription_id_ends_at_days_before"),
        ),
    )
    op.create_index(op.f("ix_subscription_notices_partner_id"), "subscription_notices", ["partner_id"], unique=False)
