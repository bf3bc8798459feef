"""Contracts, notes and standings of partners, and search over partners and their people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
# Trigrams are made of letters that the database's locale knows, in many only Latin ones; so Cyrillic is written in them.
FOLD = """
    CREATE FUNCTION search_fold(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN translate(lower(value), 'абвгдеёжзийклмнопрстуфхцчшщыэюяъь', 'abvgdeejziyklmnoprstufhcqwwyeua')
"""
# Immutable and simple, so that they are inlined and indexed.
PARTNER_TEXT = """
    CREATE FUNCTION partner_search_text(name text, legal_name text, inn text, domain text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN search_fold(name || ' ' || coalesce(legal_name, '') || ' ' || coalesce(inn, '') || ' ' || coalesce(domain, ''))
"""
CONTACT_TEXT = """
    CREATE FUNCTION contact_search_text(full_name text, email text, phone text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN search_fold(full_name || ' ' || coalesce(email, '') || ' ' || regexp_replace(coalesce(phone, ''), '\\D', '', 'g'))
"""


def upgrade() -> None:
    """Contracts, notes and standings of partners, and search over partners and their people."""
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute(FOLD)
    op.execute(PARTNER_TEXT)
    op.execute(CONTACT_TEXT)
    op.add_column("partners", sa.Column("ogrn", sa.Text(), nullable=True))
    op.create_check_constraint(op.f("ck_partners_ogrn_digits"), "partners", "ogrn ~ '^([0-9]{13}|[0-9]{15})$'")
    op.create_index("ix_partners_segment", "partners", ["segment", "id"])
    op.create_index(
        "ix_partners_search",
        "partners",
        [sa.text("partner_search_text(name, legal_name, inn, amocrm_domain) gin_trgm_ops")],
        postgresql_using="gin",
    )
    op.create_index(
        "ix_contacts_search",
        "contacts",
        [sa.text("contact_search_text(full_name, email, phone) gin_trgm_ops")],
        postgresql_using="gin",
    )
    op.create_table(
        "partner_status_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("from_status", sa.String(length=32), nullable=False),
        sa.Column("to_status", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("changed_by_user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("from_status <> to_status", name=op.f("ck_partner_status_changes_changes")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_partner_status_changes_partner_id")),
        sa.ForeignKeyConstraint(
            ["changed_by_user_id"], ["users.id"], name=op.f("fk_partner_status_changes_changed_by_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_status_changes")),
    )
    op.create_table(
        "partner_contracts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=32), server_default="DRAFT", nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("sla", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("status IN ('DRAFT', 'ACTIVE', 'ENDED')", name=op.f("ck_partner_contracts_status_allowed")),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_partner_contracts_amount_not_negative")),
        sa.CheckConstraint(
            "(amount IS NULL) = (currency IS NULL)", name=op.f("ck_partner_contracts_currency_of_amount")
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_partner_contracts_ends_after_start")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_partner_contracts_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_contracts")),
        sa.UniqueConstraint("partner_id", "number", name=op.f("uq_partner_contracts_partner_id_number")),
    )
    op.create_index("ix_partner_contracts_ends", "partner_contracts", ["ends_at", "id"])
    op.create_table(
        "partner_notes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), server_default="NOTE", nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("written_by_user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("kind IN ('NOTE', 'CALL', 'MEETING')", name=op.f("ck_partner_notes_kind_allowed")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_partner_notes_partner_id")),
        sa.ForeignKeyConstraint(["written_by_user_id"], ["users.id"], name=op.f("fk_partner_notes_written_by_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_notes")),
    )
    for table in ("partner_status_changes", "partner_notes"):
        op.create_index(f"ix_{table}_recent", table, ["partner_id", sa.text("id DESC")])
