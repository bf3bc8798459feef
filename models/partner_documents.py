"""Files and links that belong to partners, and how far each is (PAR-3)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.partner_documents import PartnerDocumentKind, PartnerDocumentRejection, PartnerDocumentStatus
from models.base import Base, Keyed, StrEnumColumn, Updated, checked, timeline_index


class PartnerDocument(Keyed, Updated, Base):
    """A document of a partner: a file in the storage under ``storage_key``, or a link.

    Row-level security shows partners those that are available and meant for them. From ``purge_at`` on the file may be
    erased; the row stays.
    """

    __tablename__ = "partner_documents"
    __table_args__ = (
        ForeignKeyConstraint(
            ["partner_id", "contract_id"],
            ["partner_contracts.partner_id", "partner_contracts.id"],
            name="fk_partner_documents_contract",
        ),
        checked("kind", PartnerDocumentKind),
        checked("status", PartnerDocumentStatus),
        checked("rejection", PartnerDocumentRejection),
        CheckConstraint("(url IS NULL) <> (storage_key IS NULL)", name="file_or_link"),
        CheckConstraint(
            "storage_key IS NULL OR (file_name IS NOT NULL AND content_type IS NOT NULL AND size_bytes > 0 "
            "AND sha256 ~ '^[0-9a-f]{64}$' AND upload_until IS NOT NULL)",
            name="file_described",
        ),
        CheckConstraint("status <> 'REJECTED' OR rejection IS NOT NULL", name="rejection_told"),
        CheckConstraint("(status = 'DELETED') = (deleted_at IS NOT NULL)", name="deleted_at_of_status"),
        timeline_index("partner_documents"),
        Index("ix_partner_documents_contract", "contract_id", "created_at", "id"),
        Index(
            "uq_partner_documents_replaces",
            "replaces_id",
            unique=True,
            postgresql_where=text("status IN ('PENDING', 'SCANNING', 'AVAILABLE')"),
        ),
        Index("ix_partner_documents_waiting", "upload_until", postgresql_where=text("status = 'PENDING'")),
        Index("ix_partner_documents_purge", "purge_at", postgresql_where=text("purged_at IS NULL")),
        Index(None, "created_at", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    contract_id: Mapped[int | None]
    kind: Mapped[PartnerDocumentKind] = mapped_column(StrEnumColumn(PartnerDocumentKind))
    title: Mapped[str]
    status: Mapped[PartnerDocumentStatus] = mapped_column(StrEnumColumn(PartnerDocumentStatus))
    rejection: Mapped[PartnerDocumentRejection | None] = mapped_column(StrEnumColumn(PartnerDocumentRejection))
    visible_to_partner: Mapped[bool] = mapped_column(server_default=text("false"))
    url: Mapped[str | None]
    storage_key: Mapped[str | None] = mapped_column(unique=True)
    file_name: Mapped[str | None]
    content_type: Mapped[str | None]
    size_bytes: Mapped[int | None] = mapped_column(Integer)
    sha256: Mapped[str | None]
    upload_until: Mapped[datetime | None]
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("partner_documents.id"))
    uploaded_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    available_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    purge_at: Mapped[datetime | None]
    purged_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")
