"""Refunds: money given back, each asked for once and sent once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
OPEN = sa.text("status IN ('PENDING', 'UNKNOWN')")


def upgrade() -> None:
    """Refunds: money given back, each asked for once and sent once."""
    op.create_table(
        "refunds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=36), nullable=False),
        sa.Column("status", sa.String(length=32), server_default="PENDING", nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("subscription", sa.String(length=32), server_default="KEEP", nullable=False),
        sa.Column("coins", sa.String(length=32), server_default="LEAVE", nullable=False),
        sa.Column("coins_taken", sa.Numeric(precision=18, scale=3), server_default="0", nullable=False),
        sa.Column("requested_by_user_id", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint(
            "status IN ('PENDING', 'UNKNOWN', 'SUCCEEDED', 'FAILED')", name=op.f("ck_refunds_status_allowed")
        ),
        sa.CheckConstraint("subscription IN ('KEEP', 'END_NOW')", name=op.f("ck_refunds_subscription_allowed")),
        sa.CheckConstraint("coins IN ('TAKE_BACK', 'LEAVE')", name=op.f("ck_refunds_coins_allowed")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount_positive")),
        sa.CheckConstraint(
            "(status IN ('SUCCEEDED', 'FAILED')) = (settled_at IS NOT NULL)",
            name=op.f("ck_refunds_settled_at_of_status"),
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_refunds_invoice_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_refunds_partner_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id")),
        sa.ForeignKeyConstraint(["requested_by_user_id"], ["users.id"], name=op.f("fk_refunds_requested_by_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("key", name=op.f("uq_refunds_key")),
    )
    op.create_index("uq_refunds_open", "refunds", ["payment_id"], unique=True, postgresql_where=OPEN)
    op.create_index("ix_refunds_open_since", "refunds", ["updated_at"], unique=False, postgresql_where=OPEN)
    op.create_index("ix_refunds_payment_recent", "refunds", ["payment_id", sa.text("id DESC")], unique=False)
    op.create_index("ix_refunds_partner_recent", "refunds", ["partner_id", sa.text("id DESC")], unique=False)
    op.create_index(op.f("ix_refunds_invoice_id"), "refunds", ["invoice_id"], unique=False)
