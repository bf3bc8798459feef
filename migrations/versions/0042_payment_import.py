"""Payments come in by tables of the bulk imports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Payments come in by tables of the bulk imports."""
    for table, column, values in (
        ("bulk_operations", "kind", "PARTNER_IMPORT PAYMENT_IMPORT PARTNER_EXPORT LICENSE_EXPORT PAYMENT_EXPORT"),
        ("outside_payments", "source", "API STATEMENT TABLE"),
    ):
        allowed = ", ".join(f"'{value}'" for value in values.split())
        name = op.f(f"ck_{table}_{column}_allowed")
        op.drop_constraint(name, table)
        op.create_check_constraint(name, table, f"{column} IN ({allowed})")
    op.drop_constraint(op.f("ck_bulk_operations_format_of_kind"), "bulk_operations")
    op.create_check_constraint(
        op.f("ck_bulk_operations_format_of_kind"),
        "bulk_operations",
        "(kind IN ('PARTNER_IMPORT', 'PAYMENT_IMPORT')) = (format IS NULL)",
    )
    op.add_column("bulk_operations", sa.Column("matched_count", sa.Integer(), server_default="0", nullable=False))
    op.add_column("outside_payments", sa.Column("bulk_operation_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_outside_payments_bulk_operation_id"),
        "outside_payments",
        "bulk_operations",
        ["bulk_operation_id"],
        ["id"],
    )
    op.create_index(
        "ix_outside_payments_new_of_table",
        "outside_payments",
        ["bulk_operation_id", "id"],
        postgresql_where=sa.text("status = 'NEW'"),
    )
    op.create_index("ix_outside_payments_table_recent", "outside_payments", ["bulk_operation_id", sa.text("id DESC")])
