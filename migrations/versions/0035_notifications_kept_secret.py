"""Notifications of gateways are kept encrypted; what people read of them has no keys of stored cards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Notifications of gateways are kept encrypted; what people read of them has no keys of stored cards."""
    op.add_column("gateway_notifications", sa.Column("raw_encrypted", sa.Text(), nullable=True))
