"""Events in an order in which none can appear among those that were read, and endpoints that are disabled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

NONE_YET = sa.text("0")


def upgrade() -> None:
    """Events in an order in which none can appear among those that were read, and endpoints that are disabled."""
    op.add_column("installs", sa.Column("event_xid", sa.BigInteger(), server_default=NONE_YET, nullable=False))
    op.add_column("product_events", sa.Column("order_xid", sa.BigInteger(), server_default=NONE_YET, nullable=False))
    op.drop_index("ix_product_events_product_order", "product_events")
    op.create_index("ix_product_events_product_order", "product_events", ["product_id", "order_xid", "id"])
    op.add_column("event_circuits", sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("event_circuits", sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True))
    disabled = sa.Computed("disabled_at IS NOT NULL", persisted=True)
    op.add_column("event_circuits", sa.Column("disabled", sa.Boolean(), disabled, nullable=False))
    op.execute("UPDATE event_circuits SET failing_since = updated_at WHERE failures > 0")
