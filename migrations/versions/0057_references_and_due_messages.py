"""Movements of wallets are found by their reference alone, and the outbox is listed by what is due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Movements of wallets are found by their reference alone, and the outbox is listed by what is due."""
    op.drop_index("uq_wallet_transactions_reference", table_name="wallet_transactions")
    op.create_index(
        "uq_wallet_transactions_reference",
        "wallet_transactions",
        ["reference", "wallet_id"],
        unique=True,
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_index("ix_outbox_messages_available_at_id", "outbox_messages", ["available_at", "id"])
