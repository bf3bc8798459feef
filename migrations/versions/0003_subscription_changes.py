"""Subscriptions know what waits for their renewal, whether they are paused, and what their period is worth."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Subscriptions know what waits for their renewal, whether they are paused, and what their period is worth."""
    op.add_column(
        "subscriptions",
        sa.Column("cancel_at_period_end", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("subscriptions", sa.Column("pending_plan_id", sa.BigInteger(), nullable=True))
    op.add_column("subscriptions", sa.Column("pending_term", sa.String(length=32), nullable=True))
    op.add_column("subscriptions", sa.Column("pending_seats", sa.Integer(), nullable=True))
    op.add_column("subscriptions", sa.Column("pending_unit_price", sa.Numeric(18, 2), nullable=True))
    op.add_column("subscriptions", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("subscriptions", sa.Column("worth", sa.Numeric(18, 2), server_default="0", nullable=False))
    op.add_column("subscriptions", sa.Column("worth_from", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(
        op.f("fk_subscriptions_pending_plan_id"), "subscriptions", "plans", ["pending_plan_id"], ["id"]
    )
    op.create_index(op.f("ix_subscriptions_pending_plan_id"), "subscriptions", ["pending_plan_id"], unique=False)
    checks = {
        "pending_term_allowed": "pending_term IN ('MONTH', 'HALF_YEAR', 'YEAR')",
        "pending_seats_positive": "pending_seats >= 1",
        "pending_unit_price_not_negative": "pending_unit_price >= 0",
        "worth_not_negative": "worth >= 0",
        "paused_is_active": "paused_at IS NULL OR status = 'ACTIVE'",
    }
    for name, condition in checks.items():
        op.create_check_constraint(op.f(f"ck_subscriptions_{name}"), "subscriptions", condition)
    # Periods paid before are worth what their invoice said.
    op.execute(
        """
        UPDATE subscriptions SET worth = paid.total, worth_from = paid.period_start
        FROM invoices paid
        WHERE paid.subscription_id = subscriptions.id AND paid.status = 'PAID'
            AND paid.period_end = subscriptions.ends_at AND subscriptions.status = 'ACTIVE'
        """
    )
    op.create_index(
        "uq_invoices_open_change",
        "invoices",
        ["subscription_id"],
        unique=True,
        postgresql_where=sa.text(
            "kind IN ('SEATS_UPGRADE', 'PLAN_CHANGE') AND status IN ('PENDING', 'CHARGING', 'ACTION_REQUIRED', 'FAILED')"
        ),
    )
