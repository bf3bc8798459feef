"""A stored card remembers the merchant account that stored it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A stored card remembers the merchant account that stored it."""
    op.add_column("subscriptions", sa.Column("card_account", sa.Text(), nullable=True))
    # The gateway of the newest payment that could store a card; a card set by hand has that of all new payments. Which
    # terminal it was is not known, so the gateway's bare name stands for any.
    op.execute("""
        UPDATE subscriptions SET card_account = coalesce(
            (SELECT p.gateway FROM payments p JOIN invoices i ON i.id = p.invoice_id
                WHERE i.subscription_id = subscriptions.id AND p.method = 'GATEWAY' AND p.confirmed_at IS NOT NULL
                ORDER BY p.id DESC LIMIT 1),
            (SELECT p.gateway FROM payments p WHERE p.method = 'GATEWAY' ORDER BY p.id DESC LIMIT 1),
            'tbank')
        WHERE rebill_id_encrypted IS NOT NULL
    """)
    op.create_check_constraint(
        op.f("ck_subscriptions_card_has_account"),
        "subscriptions",
        "(rebill_id_encrypted IS NULL) = (card_account IS NULL)",
    )
