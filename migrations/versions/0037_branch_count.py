"""The number of a partner's branches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The number of a partner's branches."""
    op.add_column("partners", sa.Column("branch_count", sa.Integer(), nullable=True))
    op.create_check_constraint(op.f("ck_partners_branch_count_not_negative"), "partners", "branch_count >= 0")
