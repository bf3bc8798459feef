"""Renewals that were held back are found by their index though the subscription is past due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

NAME = "ix_subscriptions_to_invoice"
UNBILLED = "status IN ('ACTIVE', 'PAST_DUE') AND (invoiced_until IS NULL OR invoiced_until < ends_at)"


def upgrade() -> None:
    """Renewals that were held back are found by their index though the subscription is past due."""
    op.drop_index(NAME, "subscriptions")
    op.create_index(NAME, "subscriptions", ["ends_at", "id"], postgresql_where=sa.text(UNBILLED))
