"""Pages of the access log are read by their moment, and those of a partner by a table of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

BY_TIME = {"user": "user_id", "operation": "operation_name", "grant": "access_grant_id"}


def upgrade() -> None:
    """Pages of the access log are read by their moment, and those of a partner by a table of its own."""
    op.create_table(
        "access_log_partners",
        sa.Column("partner_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
    )
    op.execute("""
        INSERT INTO access_log_partners (partner_id, created_at, entry_id)
        SELECT DISTINCT partner.id, entry.created_at, entry.id
        FROM access_log_entries entry CROSS JOIN LATERAL unnest(entry.partner_ids) AS partner (id)
    """)
    op.create_primary_key(
        op.f("pk_access_log_partners"), "access_log_partners", ["partner_id", "created_at", "entry_id"]
    )
    op.drop_index("ix_access_log_entries_partners", table_name="access_log_entries")
    for name, column in BY_TIME.items():
        op.drop_index(f"ix_access_log_entries_{name}_recent", table_name="access_log_entries")
        where = {"postgresql_where": sa.text("access_grant_id IS NOT NULL")} if name == "grant" else {}
        op.create_index(f"ix_access_log_entries_{name}", "access_log_entries", [column, "created_at", "id"], **where)
    op.execute("ANALYZE access_log_partners, access_log_entries")
