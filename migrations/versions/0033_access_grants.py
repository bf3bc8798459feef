"""Access grants, the reason and grant of a session, and what the access log tells beyond."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
OPEN = sa.text("status IN ('REQUESTED', 'APPROVED')")


def upgrade() -> None:
    """Access grants, the reason and grant of a session, and what the access log tells beyond."""
    # Roles and rights that were given by hand before keep their reach; the vocabulary is brought in step afterwards.
    op.execute("INSERT INTO permissions (name, description) VALUES ('partner:all_rows', '') ON CONFLICT DO NOTHING")
    op.execute(
        "INSERT INTO role_permissions (role_id, permission) SELECT id, 'partner:all_rows' FROM roles WHERE NOT built_in"
    )
    op.execute(
        """
        INSERT INTO user_permissions (user_id, permission)
        SELECT DISTINCT p.user_id, 'partner:all_rows' FROM user_permissions p JOIN users u ON u.id = p.user_id
        WHERE u.kind = 'STAFF' AND NOT EXISTS (
            SELECT FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id AND r.name = 'SUPPORT')
        """
    )
    op.create_table(
        "access_grants",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("partner_name", sa.Text(), nullable=False),
        sa.Column("requested_by_user_id", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), server_default="REQUESTED", nullable=False),
        sa.Column("decided_by_user_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_note", sa.Text(), nullable=True),
        sa.Column("by_policy", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_user_id", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint(
            "status IN ('REQUESTED', 'APPROVED', 'DENIED', 'WITHDRAWN', 'REVOKED', 'EXPIRED')",
            name=op.f("ck_access_grants_status_allowed"),
        ),
        sa.CheckConstraint(
            "decided_by_user_id <> requested_by_user_id", name=op.f("ck_access_grants_decided_by_another")
        ),
        sa.CheckConstraint(
            "(status = 'REQUESTED') = (decided_at IS NULL) OR status IN ('EXPIRED', 'WITHDRAWN')",
            name=op.f("ck_access_grants_decided"),
        ),
        sa.CheckConstraint("status <> 'APPROVED' OR expires_at IS NOT NULL", name=op.f("ck_access_grants_ends")),
        sa.CheckConstraint("minutes > 0", name=op.f("ck_access_grants_minutes_positive")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_access_grants_partner_id")),
        *(
            sa.ForeignKeyConstraint(
                [f"{who}_by_user_id"], ["users.id"], name=op.f(f"fk_access_grants_{who}_by_user_id")
            )
            for who in ("requested", "decided", "ended")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_grants")),
    )
    op.create_index(
        "uq_access_grants_open",
        "access_grants",
        ["requested_by_user_id", "partner_id"],
        unique=True,
        postgresql_where=OPEN,
    )
    op.create_index("ix_access_grants_open", "access_grants", ["id"], postgresql_where=OPEN)
    op.create_index("ix_access_grants_asker_recent", "access_grants", ["requested_by_user_id", sa.text("id DESC")])
    op.create_index("ix_access_grants_partner_recent", "access_grants", ["partner_id", sa.text("id DESC")])

    op.add_column("sessions", sa.Column("access_reason", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("access_reason_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("sessions", sa.Column("access_grant_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_sessions_access_grant_id"),
        "sessions",
        "access_grants",
        ["access_grant_id"],
        ["id"],
        ondelete="SET NULL",
    )

    op.add_column("bulk_operations", sa.Column("access_reason", sa.Text(), nullable=True))
    op.add_column(
        "access_log_entries",
        sa.Column("roles", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.add_column("access_log_entries", sa.Column("access_grant_id", sa.BigInteger(), nullable=True))
    op.drop_index("ix_access_log_entries_user_id", "access_log_entries")
    op.create_index("ix_access_log_entries_user_recent", "access_log_entries", ["user_id", sa.text("id DESC")])
    op.create_index(
        "ix_access_log_entries_operation_recent", "access_log_entries", ["operation_name", sa.text("id DESC")]
    )
    op.create_index("ix_access_log_entries_time", "access_log_entries", ["created_at", "id"])
    op.create_index(
        "ix_access_log_entries_grant_recent",
        "access_log_entries",
        ["access_grant_id", sa.text("id DESC")],
        postgresql_where=sa.text("access_grant_id IS NOT NULL"),
    )
