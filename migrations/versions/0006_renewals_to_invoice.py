"""The renewals that have no invoice yet are found without passing those that have one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The renewals that have no invoice yet are found without passing those that have one."""
    op.create_index(
        "ix_subscriptions_to_invoice",
        "subscriptions",
        ["ends_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'ACTIVE' AND (invoiced_until IS NULL OR invoiced_until < ends_at)"),
    )
