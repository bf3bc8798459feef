"""Sessions know the provider's session that they came from, so that they end with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Sessions know the provider's session that they came from, so that they end with it."""
    for table in ("sessions", "sign_in_challenges"):
        op.add_column(table, sa.Column("provider_session_hash", sa.Text(), nullable=True))
    op.create_index(
        "ix_sessions_provider_session",
        "sessions",
        ["provider_session_hash"],
        postgresql_where=sa.text("provider_session_hash IS NOT NULL"),
    )
    op.create_table(
        "oidc_logouts",
        sa.Column("number_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("number_hash", name=op.f("pk_oidc_logouts")),
    )
    op.create_index(op.f("ix_oidc_logouts_created_at"), "oidc_logouts", ["created_at"])
