"""Letters to people, and the sandbox's mailbox (NOT-1)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.mail import MailStatus
from models.base import Base, Keyed, StrEnumColumn, Updated, checked


class Mail(Keyed, Updated, Base):
    """A letter; its content is sealed, for it may hold one-time links, and forgotten once it was sent."""

    __tablename__ = "mails"
    __table_args__ = (
        checked("status", MailStatus),
        Index("ix_mails_sealed", "created_at", postgresql_where=text("content_encrypted IS NOT NULL")),
        Index(None, "partner_id", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index("ix_mails_not_sent", "status", "created_at", "id", postgresql_where=text("status <> 'SENT'")),
    )

    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"))
    recipient: Mapped[str]
    template: Mapped[str]
    locale: Mapped[str]
    message_id: Mapped[str] = mapped_column(unique=True)
    content_encrypted: Mapped[str | None]
    invoice_document_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'"))
    status: Mapped[MailStatus] = mapped_column(StrEnumColumn(MailStatus), server_default="PENDING")
    last_error: Mapped[str | None]
    sent_at: Mapped[datetime | None]


class SandboxMail(Keyed, Base):
    """A letter in the sandbox's mailbox, as a mail server would have got it."""

    __tablename__ = "sandbox_mails"

    message_id: Mapped[str] = mapped_column(unique=True)
    recipient: Mapped[str]
    subject: Mapped[str]
    source: Mapped[bytes]
