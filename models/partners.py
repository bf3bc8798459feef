"""Partners, their people, contracts, notes and the history of their standing (PAR-1, PAR-3, PAR-4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    Integer,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from domain.partners import ContractStatus, DeploymentType, NoteKind, PartnerStatus
from models.base import Base, Currency, Keyed, Money, StrEnumColumn, Updated, checked, timeline_index

# Folded and joined once, when a row is written: computing it for each row that a search looks at costs ten times the
# search. Nobody reads it but the search.
PARTNER_TEXT = "partner_search_text(name, legal_name, inn, amocrm_domain)"
CONTACT_TEXT = "contact_search_text(full_name, email, phone)"


def _beginnings(name: str, sql: str) -> Index:
    """Finds texts by how they begin, whatever the database's collation."""
    return Index(name, literal_column(sql).label("text"), "id", postgresql_ops={"text": "text_pattern_ops"})


def _search_indexes(table: str) -> tuple[Index, Index]:
    """Pieces of four characters find parts; trigrams find parts of three, and what is only like the query."""
    trigrams = Index(
        f"ix_{table}_search_text", "search_text", postgresql_using="gin", postgresql_ops={"search_text": "gin_trgm_ops"}
    )
    return trigrams, Index(f"ix_{table}_search_pieces", text("search_pieces(search_text)"), postgresql_using="gin")


class Partner(Keyed, Updated, Base):
    """An organisation that buys from us."""

    __tablename__ = "partners"
    __table_args__ = (
        checked("status", PartnerStatus),
        checked("deployment", DeploymentType),
        CheckConstraint("inn ~ '^([0-9]{10}|[0-9]{12})$'", name="inn_digits"),
        CheckConstraint("kpp ~ '^[0-9]{4}[0-9A-Z]{2}[0-9]{3}$'", name="kpp_form"),
        CheckConstraint("ogrn ~ '^([0-9]{13}|[0-9]{15})$'", name="ogrn_digits"),
        CheckConstraint("branch_count >= 0", name="branch_count_not_negative"),
        Index("ix_partners_name_order", text("name"), "id"),
        Index("ix_partners_segment", "segment", "id"),
        _beginnings("ix_partners_name_beginning", "search_fold(name)"),
        _beginnings("ix_partners_domain_beginning", "lower(amocrm_domain)"),
        *_search_indexes("partners"),
    )

    name: Mapped[str]
    legal_name: Mapped[str | None]
    inn: Mapped[str | None] = mapped_column(index=True)
    kpp: Mapped[str | None]
    ogrn: Mapped[str | None]
    segment: Mapped[str | None]
    deployment: Mapped[DeploymentType] = mapped_column(StrEnumColumn(DeploymentType), server_default="SAAS")
    status: Mapped[PartnerStatus] = mapped_column(StrEnumColumn(PartnerStatus), server_default="ACTIVE", index=True)
    status_reason: Mapped[str | None]
    connected_at: Mapped[datetime | None]
    branch_count: Mapped[int | None] = mapped_column(Integer)
    account_manager_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", use_alter=True, name="fk_partners_account_manager_id"), index=True
    )
    amocrm_account_id: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    amocrm_domain: Mapped[str | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    search_text: Mapped[str | None] = mapped_column(Computed(PARTNER_TEXT, persisted=True), deferred=True)


class Contact(Keyed, Updated, Base):
    """A person at a partner; personal data."""

    __tablename__ = "contacts"
    __table_args__ = (
        Index("uq_contacts_primary", "partner_id", unique=True, postgresql_where=text("is_primary")),
        UniqueConstraint("partner_id", "amocrm_user_id"),
        Index("ix_contacts_phone", text("search_phone(phone)")),
        *_search_indexes("contacts"),
        Index(None, "partner_id", "created_at", "id"),
        Index(None, "created_at", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    full_name: Mapped[str]
    email: Mapped[str | None] = mapped_column(index=True)
    phone: Mapped[str | None]
    position: Mapped[str | None]
    amocrm_user_id: Mapped[int | None] = mapped_column(BigInteger)
    is_primary: Mapped[bool] = mapped_column(server_default=text("false"))
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    search_text: Mapped[str | None] = mapped_column(Computed(CONTACT_TEXT, persisted=True), deferred=True)


class PartnerStatusChange(Keyed, Base):
    """One change of a partner's standing, and why. Insert-only."""

    __tablename__ = "partner_status_changes"
    __table_args__ = (
        CheckConstraint("from_status <> to_status", name="changes"),
        Index("ix_partner_status_changes_recent", "partner_id", text("id DESC")),
        timeline_index("partner_status_changes"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    from_status: Mapped[PartnerStatus] = mapped_column(StrEnumColumn(PartnerStatus))
    to_status: Mapped[PartnerStatus] = mapped_column(StrEnumColumn(PartnerStatus))
    reason: Mapped[str | None]
    changed_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class PartnerContract(Keyed, Updated, Base):
    """A contract with a partner; ``url`` leads to its text where that is kept elsewhere."""

    __tablename__ = "partner_contracts"
    __table_args__ = (
        UniqueConstraint("partner_id", "number"),
        UniqueConstraint("partner_id", "id"),
        checked("status", ContractStatus),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="currency_of_amount"),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        Index("ix_partner_contracts_ends", "ends_at", "id"),
        timeline_index("partner_contracts"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    number: Mapped[str]
    status: Mapped[ContractStatus] = mapped_column(StrEnumColumn(ContractStatus), server_default="DRAFT")
    signed_at: Mapped[datetime | None]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    amount: Mapped[Money | None]
    currency: Mapped[Currency | None]
    sla: Mapped[str | None]
    url: Mapped[str | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class PartnerNote(Keyed, Base):
    """What one of us wrote about a partner; partners never see it. Insert-only."""

    __tablename__ = "partner_notes"
    __table_args__ = (
        checked("kind", NoteKind),
        Index("ix_partner_notes_recent", "partner_id", text("id DESC")),
        timeline_index("partner_notes"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    kind: Mapped[NoteKind] = mapped_column(StrEnumColumn(NoteKind), server_default="NOTE")
    body: Mapped[str]
    written_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
