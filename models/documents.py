"""Documents about invoices, kept as they were issued (INV-4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from domain.documents import InvoiceDocumentKind
from models.base import Base, Keyed, StrEnumColumn, checked


class InvoiceDocument(Keyed, Base):
    """A PDF about an invoice, one of a kind; ``dated_at`` is the moment whose day it carries. Insert-only."""

    __tablename__ = "invoice_documents"
    __table_args__ = (
        UniqueConstraint("invoice_id", "kind"),
        checked("kind", InvoiceDocumentKind),
        CheckConstraint("size_bytes > 0", name="size_positive"),
        Index(None, "partner_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"))
    kind: Mapped[InvoiceDocumentKind] = mapped_column(StrEnumColumn(InvoiceDocumentKind))
    number: Mapped[str]
    dated_at: Mapped[datetime]
    size_bytes: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
