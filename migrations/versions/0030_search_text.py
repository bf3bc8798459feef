"""The text that partners and people are found by is kept beside them."""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

COLUMNS = {
    "partners": "partner_search_text(name, legal_name, inn, amocrm_domain)",
    "contacts": "contact_search_text(full_name, email, phone)",
}


def upgrade() -> None:
    """The text that partners and people are found by is kept beside them."""
    for table, expression in COLUMNS.items():
        op.drop_index(f"ix_{table}_search", table_name=table)
        op.execute(f"ALTER TABLE {table} ADD COLUMN search_text text GENERATED ALWAYS AS ({expression}) STORED")
        op.create_index(
            f"ix_{table}_search_text",
            table,
            ["search_text"],
            postgresql_using="gin",
            postgresql_ops={"search_text": "gin_trgm_ops"},
        )
