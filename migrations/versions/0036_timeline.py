"""Indexes by which a partner's timeline is read; four of them serve the foreign key too."""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

ADDED = ("invoices", "partner_contracts", "partner_documents", "partner_notes", "partner_status_changes", "refunds")
REPLACED = ("payments", "product_events", "sessions", "subscription_changes")


def upgrade() -> None:
    """Indexes by which a partner's timeline is read."""
    for table in ADDED + REPLACED:
        op.create_index(f"ix_{table}_timeline", table, ["partner_id", "created_at", "id"])
    for table in REPLACED:
        op.drop_index(f"ix_{table}_partner_id", table_name=table)
