"""Parts of texts are found by pieces of four characters, beginnings and whole phones by B-trees."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

# A space before and after, so that beginnings and ends of words are pieces too.
PIECES = """
    CREATE FUNCTION search_pieces(value text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ARRAY(SELECT substr(' ' || value || ' ', at, 4) FROM generate_series(1, length(value) - 1) AS at)
"""
# A Russian 8 or +7 is left out.
PHONE = r"""
    CREATE FUNCTION search_phone(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN regexp_replace(regexp_replace(value, '\D', '', 'g'), '^[78](?=\d{10}$)', '')
"""


def upgrade() -> None:
    """Parts of texts are found by pieces of four characters, beginnings and whole phones by B-trees."""
    op.execute(PIECES)
    op.execute(PHONE)
    for name, expression in (("name", "search_fold(name)"), ("domain", "lower(amocrm_domain)")):
        op.create_index(
            f"ix_partners_{name}_beginning",
            "partners",
            [sa.literal_column(expression).label("text"), "id"],
            unique=False,
            postgresql_ops={"text": "text_pattern_ops"},
        )
    op.create_index("ix_contacts_phone", "contacts", [sa.text("search_phone(phone)")], unique=False)
    for table in ("partners", "contacts"):
        op.create_index(
            f"ix_{table}_search_pieces", table, [sa.text("search_pieces(search_text)")], postgresql_using="gin"
        )
    # Of an index on an expression nothing is known until then.
    op.execute("ANALYZE partners, contacts")
