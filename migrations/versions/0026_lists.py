"""Installs are ordered by the end of their subscription; lists by state have indexes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

NEWEST = sa.text("id DESC")


def upgrade() -> None:
    """Installs are ordered by the end of their subscription; lists by state have indexes."""
    ends = sa.Computed("coalesce(subscribed_until, to_timestamp(0))", persisted=True)
    op.add_column("installs", sa.Column("subscribed_until_or_epoch", sa.DateTime(timezone=True), ends, nullable=False))
    op.create_index("ix_installs_subscribed_until", "installs", ["subscribed_until_or_epoch", "id"])
    op.create_index("ix_installs_kind_recent", "installs", ["subscription_kind", NEWEST])
    op.create_index("ix_subscriptions_status_recent", "subscriptions", ["status", NEWEST])
    op.create_index("ix_payments_status_recent", "payments", ["status", NEWEST])
    op.create_index("ix_payments_at_the_gateway", "payments", ["gateway_payment_id"])
