"""Subscriptions renew: one invoice a period, charged on a schedule, with days of grace."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Subscriptions renew: one invoice a period, charged on a schedule, with days of grace."""
    op.add_column("subscriptions", sa.Column("invoiced_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("subscriptions", sa.Column("past_due_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE subscriptions SET past_due_at = updated_at WHERE status = 'PAST_DUE'")
    op.create_check_constraint(
        op.f("ck_subscriptions_past_due_since"), "subscriptions", "status <> 'PAST_DUE' OR past_due_at IS NOT NULL"
    )
    op.add_column("invoices", sa.Column("next_charge_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("invoices", sa.Column("charge_attempts", sa.SmallInteger(), server_default="0", nullable=False))
    op.create_check_constraint(
        op.f("ck_invoices_charged_while_open"),
        "invoices",
        "next_charge_at IS NULL OR status IN ('PENDING', 'FAILED')",
    )
    op.create_index(
        "uq_invoices_renewal",
        "invoices",
        ["subscription_id", "period_start"],
        unique=True,
        postgresql_where=sa.text("kind = 'RENEWAL' AND status <> 'CANCELED'"),
    )
    op.create_index(
        "ix_invoices_to_charge",
        "invoices",
        ["next_charge_at"],
        unique=False,
        postgresql_where=sa.text("next_charge_at IS NOT NULL"),
    )
    op.add_column("payments", sa.Column("charge_sent_at", sa.DateTime(timezone=True), nullable=True))
