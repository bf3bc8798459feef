"""Installs that must be installed again at their CRM are found by an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Installs that must be installed again at their CRM are found by an index."""
    lost = sa.Computed("active AND invalid_because IS NOT NULL", persisted=True)
    op.add_column("oauth_tokens", sa.Column("authorization_lost", sa.Boolean(), lost, nullable=False))
    op.create_index(
        "ix_oauth_tokens_lost", "oauth_tokens", ["id"], unique=False, postgresql_where=sa.text("authorization_lost")
    )
