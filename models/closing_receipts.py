"""Closing receipts (54-FZ): the second receipt of money that was taken before its service."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.receipts import ClosingReceiptStatus
from models.base import Base, Currency, Keyed, Money, StrEnumColumn, Updated, checked


class ClosingReceipt(Keyed, Updated, Base):
    """That a prepayment's service was rendered; one a payment, due at ``due_at``.

    ``amount`` is what was left of the payment when it was made. ``fiscal_document`` and ``receipt_url`` are what the
    cash register told of it, or the person who made it there.
    """

    __tablename__ = "closing_receipts"
    __table_args__ = (
        checked("status", ClosingReceiptStatus),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint(
            "status NOT IN ('UNKNOWN', 'SENT', 'REGISTERED') OR sent_at IS NOT NULL", name="sent_at_of_status"
        ),
        Index("ix_closing_receipts_due", "due_at", postgresql_where=text("status = 'WAITING'")),
        Index("ix_closing_receipts_unknown", "sent_at", postgresql_where=text("status = 'UNKNOWN'")),
        Index("ix_closing_receipts_partner_recent", "partner_id", text("id DESC")),
        Index("ix_closing_receipts_status_recent", "status", text("id DESC")),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"), unique=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), index=True)
    status: Mapped[ClosingReceiptStatus] = mapped_column(StrEnumColumn(ClosingReceiptStatus), server_default="WAITING")
    amount: Mapped[Money]
    currency: Mapped[Currency]
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    registered_at: Mapped[datetime | None]
    fiscal_document: Mapped[str | None]
    receipt_url: Mapped[str | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    recorded_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
