"""Roles are for our own people or for partners'; users are invited by links that set a password."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

NOW = sa.text("now()")


def upgrade() -> None:
    """Roles are for our own people or for partners'; users are invited by links that set a password."""
    op.alter_column("users", "permissions_version", new_column_name="version")
    op.alter_column("users", "password_hash", nullable=True)
    op.add_column("users", sa.Column("password_set_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE users SET password_set_at = created_at")
    op.create_check_constraint(op.f("ck_users_locale_allowed"), "users", "locale IN ('en', 'ru')")
    op.create_unique_constraint(op.f("uq_users_id_kind"), "users", ["id", "kind"])

    op.add_column("roles", sa.Column("kind", sa.String(length=32), nullable=True))
    op.execute("UPDATE roles SET kind = CASE WHEN name LIKE 'PARTNER\\_%' THEN 'PARTNER' ELSE 'STAFF' END")
    op.alter_column("roles", "kind", nullable=False)
    op.add_column("roles", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.create_check_constraint(op.f("ck_roles_kind_allowed"), "roles", "kind IN ('STAFF', 'PARTNER')")
    op.create_unique_constraint(op.f("uq_roles_id_kind"), "roles", ["id", "kind"])

    op.add_column("user_roles", sa.Column("kind", sa.String(length=32), nullable=True))
    op.execute("UPDATE user_roles SET kind = users.kind FROM users WHERE users.id = user_id")
    op.alter_column("user_roles", "kind", nullable=False)
    op.drop_constraint("fk_user_roles_user_id", "user_roles")
    op.drop_constraint("fk_user_roles_role_id", "user_roles")
    op.create_foreign_key(
        op.f("fk_user_roles_user_id_kind"),
        "user_roles",
        "users",
        ["user_id", "kind"],
        ["id", "kind"],
        ondelete="CASCADE",
    )
    op.create_foreign_key(
        op.f("fk_user_roles_role_id_kind"), "user_roles", "roles", ["role_id", "kind"], ["id", "kind"]
    )
    for table in ("user_roles", "user_permissions"):
        op.add_column(table, sa.Column("partner_id", sa.BigInteger(), nullable=True))
        op.execute(f"UPDATE {table} SET partner_id = users.partner_id FROM users WHERE users.id = user_id")  # noqa: S608
        op.create_foreign_key(op.f(f"fk_{table}_partner_id"), table, "partners", ["partner_id"], ["id"])
        op.create_index(op.f(f"ix_{table}_partner_id"), table, ["partner_id"], unique=False)

    op.create_table(
        "password_links",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=True),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("purpose IN ('INVITE', 'RESET')", name=op.f("ck_password_links_purpose_allowed")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_password_links_partner_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_password_links_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_password_links_token_hash")),
    )
    op.create_index(op.f("ix_password_links_partner_id"), "password_links", ["partner_id"], unique=False)
    op.create_index(op.f("ix_password_links_user_id"), "password_links", ["user_id"], unique=False)
