"""A payment notes the card that pays, which is told before or after its money comes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A payment notes the card that pays, which is told before or after its money comes."""
    op.add_column("payments", sa.Column("rebill_id_encrypted", sa.Text(), nullable=True))
