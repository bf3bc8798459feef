"""Wallets by their last activity, dead letters by their install, and permissions of dead letters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Wallets by their last activity, dead letters by their install, and permissions of dead letters."""
    active = sa.Computed("coalesce(last_activity_at, created_at)", persisted=True)
    op.add_column("wallets", sa.Column("active_at", sa.DateTime(timezone=True), active, nullable=False))
    low = sa.Computed("low_since IS NOT NULL", persisted=True)
    op.add_column("wallets", sa.Column("low", sa.Boolean(), low, nullable=False))
    op.create_index("ix_wallets_low", "wallets", ["id"], postgresql_where=sa.text("low"))
    op.add_column("dead_letters", sa.Column("install_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_dead_letters_install_id_installs"), "dead_letters", "installs", ["install_id"], ["id"]
    )
    op.create_index(op.f("ix_dead_letters_install_id"), "dead_letters", ["install_id"], unique=False)
    op.create_index("ix_dead_letters_status_recent", "dead_letters", ["status", sa.text("id DESC")])
    op.execute(
        """
        UPDATE dead_letters SET install_id = installs.id
        FROM installs WHERE payload ->> 'installId' = installs.id::text
        """
    )
    # Who might read and resolve dead letters before still may.
    op.execute(
        """
        INSERT INTO permissions (name, description) VALUES ('dead_letter:read', ''), ('dead_letter:write', '')
        ON CONFLICT DO NOTHING
        """
    )
    for table, owner in (("role_permissions", "role_id"), ("user_permissions", "user_id")):
        op.execute(
            f"""
            INSERT INTO {table} ({owner}, permission)
            SELECT {owner}, replace(permission, 'job:', 'dead_letter:') FROM {table}
            WHERE permission IN ('job:read', 'job:write') ON CONFLICT DO NOTHING
            """  # noqa: S608 - names of our own tables
        )
    for verb in ("read", "write"):
        op.execute(
            f"""
            UPDATE api_tokens SET permissions = permissions || 'dead_letter:{verb}'::text
            WHERE 'job:{verb}' = ANY (permissions)
            """  # noqa: S608 - one of two words
        )
