"""Tokens at amoCRM are refreshed one at a time, and one-time tokens of widgets are good once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tokens at amoCRM are refreshed one at a time, and one-time tokens of widgets are good once."""
    op.add_column("oauth_tokens", sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("oauth_tokens", sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("oauth_tokens", sa.Column("invalid_because", sa.Text(), nullable=True))
    op.create_index(
        "ix_oauth_tokens_due",
        "oauth_tokens",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("active AND invalid_because IS NULL"),
    )
    op.create_table(
        "widget_token_uses",
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("jti", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_widget_token_uses_product_id")),
        sa.PrimaryKeyConstraint("product_id", "jti", name=op.f("pk_widget_token_uses")),
    )
    op.create_index(op.f("ix_widget_token_uses_expires_at"), "widget_token_uses", ["expires_at"], unique=False)
