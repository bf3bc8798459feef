"""Closing receipts: the second receipt of money that was taken before its service."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
STATES = "'WAITING', 'QUEUED', 'UNKNOWN', 'SENT', 'REGISTERED', 'CANCELED', 'FAILED'"


def upgrade() -> None:
    """Closing receipts: the second receipt of money that was taken before its service."""
    op.add_column("payments", sa.Column("receipt_method", sa.String(length=32), nullable=True))
    op.create_check_constraint(
        op.f("ck_payments_receipt_method_allowed"),
        "payments",
        "receipt_method IN ('FULL_PREPAYMENT', 'PREPAYMENT', 'ADVANCE', 'FULL_PAYMENT')",
    )
    op.create_table(
        "closing_receipts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=32), server_default="WAITING", nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fiscal_document", sa.Text(), nullable=True),
        sa.Column("receipt_url", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint(f"status IN ({STATES})", name=op.f("ck_closing_receipts_status_allowed")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_closing_receipts_amount_positive")),
        sa.CheckConstraint(
            "status NOT IN ('UNKNOWN', 'SENT', 'REGISTERED') OR sent_at IS NOT NULL",
            name=op.f("ck_closing_receipts_sent_at_of_status"),
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_closing_receipts_invoice_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_closing_receipts_partner_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_closing_receipts_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closing_receipts")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_closing_receipts_payment_id")),
    )
    op.create_index(
        "ix_closing_receipts_due",
        "closing_receipts",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status = 'WAITING'"),
    )
    op.create_index(
        "ix_closing_receipts_unknown",
        "closing_receipts",
        ["sent_at"],
        unique=False,
        postgresql_where=sa.text("status = 'UNKNOWN'"),
    )
    op.create_index(
        "ix_closing_receipts_partner_recent", "closing_receipts", ["partner_id", sa.text("id DESC")], unique=False
    )
    op.create_index(
        "ix_closing_receipts_status_recent", "closing_receipts", ["status", sa.text("id DESC")], unique=False
    )
    op.create_index(op.f("ix_closing_receipts_invoice_id"), "closing_receipts", ["invoice_id"], unique=False)
