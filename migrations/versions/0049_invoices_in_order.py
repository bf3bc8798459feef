"""Invoices are listed by due date and by total without a sort of them all."""

from __future__ import annotations

from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Invoices are listed by due date and by total without a sort of them all."""
    op.create_index("ix_invoices_due", "invoices", ["due_at", "id"])
    op.create_index("ix_invoices_total", "invoices", ["total", "id"])
