"""Documents of partners."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

NOW = sa.text("now()")


def upgrade() -> None:
    """Documents of partners."""
    op.create_unique_constraint(op.f("uq_partner_contracts_partner_id_id"), "partner_contracts", ["partner_id", "id"])
    op.create_table(
        "partner_documents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("rejection", sa.String(length=32), nullable=True),
        sa.Column("visible_to_partner", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("storage_key", sa.Text(), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=True),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("upload_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaces_id", sa.BigInteger(), nullable=True),
        sa.Column("uploaded_by_user_id", sa.BigInteger(), nullable=True),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purge_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint(
            "kind IN ('CONTRACT', 'ACT', 'SPECIFICATION', 'OTHER')", name=op.f("ck_partner_documents_kind_allowed")
        ),
        sa.CheckConstraint(
            "status IN ('PENDING', 'SCANNING', 'AVAILABLE', 'REJECTED', 'DELETED')",
            name=op.f("ck_partner_documents_status_allowed"),
        ),
        sa.CheckConstraint(
            "rejection IN ('NEVER_UPLOADED', 'WRONG_SIZE', 'WRONG_CHECKSUM', 'WRONG_TYPE', 'MALWARE')",
            name=op.f("ck_partner_documents_rejection_allowed"),
        ),
        sa.CheckConstraint("(url IS NULL) <> (storage_key IS NULL)", name=op.f("ck_partner_documents_file_or_link")),
        sa.CheckConstraint(
            "storage_key IS NULL OR (file_name IS NOT NULL AND content_type IS NOT NULL AND size_bytes > 0 "
            "AND sha256 ~ '^[0-9a-f]{64}$' AND upload_until IS NOT NULL)",
            name=op.f("ck_partner_documents_file_described"),
        ),
        sa.CheckConstraint(
            "status <> 'REJECTED' OR rejection IS NOT NULL", name=op.f("ck_partner_documents_rejection_told")
        ),
        sa.CheckConstraint(
            "(status = 'DELETED') = (deleted_at IS NOT NULL)", name=op.f("ck_partner_documents_deleted_at_of_status")
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_partner_documents_partner_id")),
        sa.ForeignKeyConstraint(
            ["partner_id", "contract_id"],
            ["partner_contracts.partner_id", "partner_contracts.id"],
            name="fk_partner_documents_contract",
        ),
        sa.ForeignKeyConstraint(
            ["replaces_id"], ["partner_documents.id"], name=op.f("fk_partner_documents_replaces_id")
        ),
        sa.ForeignKeyConstraint(
            ["uploaded_by_user_id"], ["users.id"], name=op.f("fk_partner_documents_uploaded_by_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_documents")),
        sa.UniqueConstraint("storage_key", name=op.f("uq_partner_documents_storage_key")),
    )
    op.create_index("ix_partner_documents_recent", "partner_documents", ["partner_id", sa.text("id DESC")])
    op.create_index("ix_partner_documents_contract", "partner_documents", ["contract_id", sa.text("id DESC")])
    op.create_index(
        "uq_partner_documents_replaces",
        "partner_documents",
        ["replaces_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('PENDING', 'SCANNING', 'AVAILABLE')"),
    )
    op.create_index(
        "ix_partner_documents_waiting",
        "partner_documents",
        ["upload_until"],
        postgresql_where=sa.text("status = 'PENDING'"),
    )
    op.create_index(
        "ix_partner_documents_purge",
        "partner_documents",
        ["purge_at"],
        postgresql_where=sa.text("purged_at IS NULL"),
    )
