"""What few rows have is found by an index, and not by walking past the others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

# By table, the columns of an index.
FILTERS = {
    "access_grants": ["status", "created_at", "id"],
    "idempotency_records": ["key"],
    "ledger_accounts": ["kind", "id"],
    "outside_payments": ["external_id"],
    "scheduled_job_runs": ["due_at"],
    "users": ["kind", "id"],
}
# By name, the table, the columns and the rows of an index over the rare rows of a table.
RARE = {
    "ix_gateway_notifications_not_applied": ("gateway_notifications", ["status", "id"], "status <> 'APPLIED'"),
    "ix_invoices_top_ups": ("invoices", ["created_at", "id"], "top_up"),
    "ix_mails_not_sent": ("mails", ["status", "created_at", "id"], "status <> 'SENT'"),
    "ix_outbox_messages_dead": ("outbox_messages", ["created_at", "id"], "status = 'DEAD'"),
    "ix_product_events_not_delivered": (
        "product_events",
        ["status", "created_at", "id"],
        "status <> 'DELIVERED'",
    ),
    "ix_wallet_transactions_not_usage": ("wallet_transactions", ["kind", "created_at", "id"], "kind <> 'USAGE'"),
}


def upgrade() -> None:
    """What few rows have is found by an index, and not by walking past the others."""
    op.drop_index("ix_access_grants_open", table_name="access_grants")
    for table, columns in FILTERS.items():
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
    for name, (table, columns, rows) in RARE.items():
        op.create_index(name, table, columns, postgresql_where=sa.text(rows))
