"""Money that came outside of gateways, and the bank statements that tell of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
REASONS = "reason IN ('NO_INVOICE', 'SEVERAL_INVOICES', 'OTHER_AMOUNT', 'OTHER_PAYER', 'OTHER_CURRENCY', 'NOT_PAYABLE')"


def upgrade() -> None:
    """Money that came outside of gateways, and the bank statements that tell of it."""
    op.create_table(
        "bank_statements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("incoming", sa.Integer(), nullable=False),
        sa.Column("repeated", sa.Integer(), nullable=False),
        sa.Column("imported_by_user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["imported_by_user_id"], ["users.id"], name=op.f("fk_bank_statements_imported_by_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_statements")),
        sa.UniqueConstraint("sha256", name=op.f("uq_bank_statements_sha256")),
    )
    op.create_table(
        "outside_payments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("bank_statement_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=32), server_default="NEW", nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document_number", sa.Text(), nullable=True),
        sa.Column("invoice_number", sa.Text(), nullable=True),
        sa.Column("payer_name", sa.Text(), nullable=True),
        sa.Column("payer_inn", sa.Text(), nullable=True),
        sa.Column("payer_account", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=True),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("decided_by_user_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("source IN ('API', 'STATEMENT')", name=op.f("ck_outside_payments_source_allowed")),
        sa.CheckConstraint(
            "status IN ('NEW', 'MATCHED', 'UNMATCHED', 'IGNORED')", name=op.f("ck_outside_payments_status_allowed")
        ),
        sa.CheckConstraint(REASONS, name=op.f("ck_outside_payments_reason_allowed")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_outside_payments_amount_positive")),
        sa.CheckConstraint(
            "(status = 'MATCHED') = (payment_id IS NOT NULL)", name=op.f("ck_outside_payments_payment_of_status")
        ),
        sa.CheckConstraint(
            "status <> 'UNMATCHED' OR reason IS NOT NULL", name=op.f("ck_outside_payments_reason_of_status")
        ),
        sa.ForeignKeyConstraint(
            ["bank_statement_id"], ["bank_statements.id"], name=op.f("fk_outside_payments_bank_statement_id")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_outside_payments_invoice_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_outside_payments_payment_id")),
        sa.ForeignKeyConstraint(
            ["decided_by_user_id"], ["users.id"], name=op.f("fk_outside_payments_decided_by_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_payments")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_outside_payments_payment_id")),
        sa.UniqueConstraint("source", "external_id", name=op.f("uq_outside_payments_source_external_id")),
    )
    for name, columns, where in (
        ("ix_outside_payments_new", ["bank_statement_id", "id"], "status = 'NEW'"),
        ("ix_outside_payments_status_recent", ["status", sa.text("id DESC")], None),
        ("ix_outside_payments_statement_recent", ["bank_statement_id", sa.text("id DESC")], None),
        (op.f("ix_outside_payments_paid_at"), ["paid_at"], None),
        (op.f("ix_outside_payments_invoice_id"), ["invoice_id"], None),
    ):
        condition = None if where is None else sa.text(where)
        op.create_index(name, "outside_payments", columns, unique=False, postgresql_where=condition)
