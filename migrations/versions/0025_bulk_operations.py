"""Imports and exports that run in the background."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

NOW = sa.text("now()")


def upgrade() -> None:
    """Imports and exports that run in the background."""
    op.create_table(
        "bulk_operations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=32), server_default="QUEUED", nullable=False),
        sa.Column("format", sa.String(length=32), nullable=True),
        sa.Column("dry_run", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=True),
        sa.Column("requested_by_user_id", sa.BigInteger(), nullable=False),
        sa.Column("permissions", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=True),
        sa.Column("done_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("problem_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("file_expired", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint(
            "kind IN ('PARTNER_IMPORT', 'PARTNER_EXPORT', 'LICENSE_EXPORT', 'PAYMENT_EXPORT')",
            name=op.f("ck_bulk_operations_kind_allowed"),
        ),
        sa.CheckConstraint(
            "status IN ('QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELED')",
            name=op.f("ck_bulk_operations_status_allowed"),
        ),
        sa.CheckConstraint("format IN ('CSV', 'XLSX')", name=op.f("ck_bulk_operations_format_allowed")),
        sa.CheckConstraint(
            "(kind = 'PARTNER_IMPORT') = (format IS NULL)", name=op.f("ck_bulk_operations_format_of_kind")
        ),
        sa.CheckConstraint(
            "done_count >= 0 AND (row_count IS NULL OR done_count <= row_count)",
            name=op.f("ck_bulk_operations_done_in_bounds"),
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_bulk_operations_partner_id")),
        sa.ForeignKeyConstraint(
            ["requested_by_user_id"], ["users.id"], name=op.f("fk_bulk_operations_requested_by_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_operations")),
    )
    op.create_index(op.f("ix_bulk_operations_partner_id"), "bulk_operations", ["partner_id"])
    op.create_index(
        "ix_bulk_operations_requested_recent", "bulk_operations", ["requested_by_user_id", sa.text("id DESC")]
    )
    op.create_index(
        "ix_bulk_operations_expiry",
        "bulk_operations",
        ["expires_at"],
        postgresql_where=sa.text("NOT file_expired"),
    )
    op.create_table(
        "bulk_operation_chunks",
        sa.Column("bulk_operation_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bulk_operation_id"],
            ["bulk_operations.id"],
            name=op.f("fk_bulk_operation_chunks_bulk_operation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("bulk_operation_id", "number", name=op.f("pk_bulk_operation_chunks")),
    )
    op.create_table(
        "bulk_operation_problems",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("bulk_operation_id", sa.BigInteger(), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=True),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["bulk_operation_id"],
            ["bulk_operations.id"],
            name=op.f("fk_bulk_operation_problems_bulk_operation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_bulk_operation_problems_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_operation_problems")),
    )
    op.create_index("ix_bulk_operation_problems_operation", "bulk_operation_problems", ["bulk_operation_id", "id"])
    op.create_index(op.f("ix_bulk_operation_problems_partner_id"), "bulk_operation_problems", ["partner_id"])
