"""Refunds of which nothing can tell what came wait for a person, whose word is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

STATES = "'PENDING', 'UNKNOWN', 'IN_DOUBT', 'SUCCEEDED', 'FAILED'"
OPEN = sa.text("status IN ('PENDING', 'UNKNOWN', 'IN_DOUBT')")


def upgrade() -> None:
    """Refunds of which nothing can tell what came wait for a person, whose word is kept."""
    op.drop_constraint(op.f("ck_refunds_status_allowed"), "refunds", type_="check")
    op.create_check_constraint(op.f("ck_refunds_status_allowed"), "refunds", f"status IN ({STATES})")
    op.drop_index("uq_refunds_open", "refunds")
    op.create_index("uq_refunds_open", "refunds", ["payment_id"], unique=True, postgresql_where=OPEN)
    op.create_index("ix_refunds_status_recent", "refunds", ["status", sa.text("id DESC")])
    op.add_column("refunds", sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("refunds", sa.Column("resolved_by_user_id", sa.BigInteger(), nullable=True))
    op.add_column("refunds", sa.Column("resolution_note", sa.Text(), nullable=True))
    op.create_foreign_key(op.f("fk_refunds_resolved_by_user_id"), "refunds", "users", ["resolved_by_user_id"], ["id"])
