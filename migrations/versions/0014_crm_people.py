"""Contacts that came from a CRM keep the number that they have there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Contacts that came from a CRM keep the number that they have there."""
    op.add_column("contacts", sa.Column("amocrm_user_id", sa.BigInteger(), nullable=True))
    op.create_unique_constraint("uq_contacts_partner_id_amocrm_user_id", "contacts", ["partner_id", "amocrm_user_id"])
