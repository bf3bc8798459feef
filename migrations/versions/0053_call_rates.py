"""Rates of letters and of forgotten passwords are counted over all processes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rates of letters and of forgotten passwords are counted over all processes."""
    op.create_table(
        "call_rates",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("used_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_call_rates")),
    )
    op.create_index(op.f("ix_call_rates_used_until"), "call_rates", ["used_until"])
