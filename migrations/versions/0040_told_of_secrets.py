"""What may be told of secrets without reading them: whether a client secret is kept, and whose a factor is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What may be told of secrets without reading them: whether a client secret is kept, and whose a factor is."""
    op.add_column(
        "products",
        sa.Column(
            "client_secret_kept",
            sa.Boolean(),
            sa.Computed("client_secret_encrypted IS NOT NULL", persisted=True),
            nullable=False,
        ),
    )
    op.add_column("totp_factors", sa.Column("partner_id", sa.BigInteger(), nullable=True))
    op.execute("UPDATE totp_factors SET partner_id = users.partner_id FROM users WHERE users.id = user_id")
    op.create_foreign_key(op.f("fk_totp_factors_partner_id"), "totp_factors", "partners", ["partner_id"], ["id"])
    op.create_index(op.f("ix_totp_factors_partner_id"), "totp_factors", ["partner_id"], unique=False)
