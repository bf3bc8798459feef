"""Subscriptions carry the product of their install, so that lists of one product are read by an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Subscriptions carry the product of their install, so that lists of one product are read by an index."""
    op.create_unique_constraint(op.f("uq_installs_id_product_id"), "installs", ["id", "product_id"])
    op.add_column("subscriptions", sa.Column("product_id", sa.BigInteger(), nullable=True))
    op.execute("""
        UPDATE subscriptions SET product_id = installs.product_id FROM installs WHERE installs.id = install_id
    """)
    op.alter_column("subscriptions", "product_id", nullable=False)
    op.create_foreign_key(op.f("fk_subscriptions_product_id"), "subscriptions", "products", ["product_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_subscriptions_install_id_product_id"),
        "subscriptions",
        "installs",
        ["install_id", "product_id"],
        ["id", "product_id"],
    )
    op.create_index(
        "ix_subscriptions_product_recent", "subscriptions", ["product_id", sa.text("id DESC")], unique=False
    )
    op.create_index("ix_subscriptions_product_ends", "subscriptions", ["product_id", "ends_at", "id"], unique=False)
