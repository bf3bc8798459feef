"""Closing receipts of payments that were given back in part are over what is left, and made by a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

STATES = "'WAITING', 'QUEUED', 'UNKNOWN', 'SENT', 'REGISTERED', 'CANCELED', 'BY_HAND', 'FAILED'"


def upgrade() -> None:
    """Closing receipts of payments that were given back in part are over what is left, and made by a person."""
    op.drop_constraint(op.f("ck_closing_receipts_status_allowed"), "closing_receipts", type_="check")
    op.create_check_constraint(op.f("ck_closing_receipts_status_allowed"), "closing_receipts", f"status IN ({STATES})")
    op.add_column("closing_receipts", sa.Column("recorded_by_user_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_closing_receipts_recorded_by_user_id"), "closing_receipts", "users", ["recorded_by_user_id"], ["id"]
    )
    op.execute(
        """
        UPDATE closing_receipts c
        SET amount = p.amount - p.refunded_amount,
            status = CASE WHEN c.status = 'FAILED' AND c.error_code = 'NOT_POSSIBLE' THEN 'BY_HAND' ELSE c.status END
        FROM payments p
        WHERE p.id = c.payment_id AND p.status = 'PARTIALLY_REFUNDED' AND c.status IN ('WAITING', 'QUEUED', 'FAILED')
        """
    )
