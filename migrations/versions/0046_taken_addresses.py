"""Users whose address signs in to somebody else's account: an invitation does not tell that there is one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Users whose address signs in to somebody else's account: an invitation does not tell that there is one."""
    op.add_column("users", sa.Column("email_taken", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.drop_constraint("uq_users_email", "users")
    op.create_index("uq_users_email", "users", ["email"], unique=True, postgresql_where=sa.text("NOT email_taken"))
    op.create_unique_constraint(op.f("uq_users_email_partner_id"), "users", ["email", "partner_id"])
    op.create_check_constraint(op.f("ck_users_taken_of_partners"), "users", "NOT email_taken OR kind = 'PARTNER'")
    op.create_check_constraint(
        op.f("ck_users_taken_never_signs_in"), "users", "NOT email_taken OR password_hash IS NULL"
    )
