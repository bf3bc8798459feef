"""Endpoints that fail are left alone, old signing secrets overlap, and endpoints can be pinged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

NOW = sa.text("now()")


def upgrade() -> None:
    """Endpoints that fail are left alone, old signing secrets overlap, and endpoints can be pinged."""
    op.add_column("products", sa.Column("previous_event_secret_encrypted", sa.Text(), nullable=True))
    op.add_column("products", sa.Column("previous_event_secret_until", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "event_circuits",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_event_circuits_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_circuits")),
        sa.UniqueConstraint("product_id", "endpoint", name=op.f("uq_event_circuits_product_id_endpoint")),
    )
    op.create_table(
        "event_pings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_by_user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint(
            "purpose IN ('INSTALL', 'ACTIVATE', 'DISABLE')", name=op.f("ck_event_pings_purpose_allowed")
        ),
        sa.ForeignKeyConstraint(["asked_by_user_id"], ["users.id"], name=op.f("fk_event_pings_asked_by_user_id")),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_event_pings_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_pings")),
    )
    op.create_index(op.f("ix_event_pings_product_id"), "event_pings", ["product_id"], unique=False)
    op.create_index("ix_product_events_product_order", "product_events", ["product_id", "id"], unique=False)
