"""Money that came outside of gateways, and the bank statements that tell of it (INV-5)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.outside_payments import OutsidePaymentSource, OutsidePaymentStatus, UnmatchedReason
from models.base import Base, Currency, Keyed, Money, StrEnumColumn, Updated, checked


class BankStatement(Keyed, Base):
    """A statement that was imported; ``sha256`` keeps the same file from coming twice."""

    __tablename__ = "bank_statements"

    file_name: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    account: Mapped[str]
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    documents: Mapped[int] = mapped_column(Integer)
    incoming: Mapped[int] = mapped_column(Integer)
    repeated: Mapped[int] = mapped_column(Integer)
    imported_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class OutsidePayment(Keyed, Updated, Base):
    """An amount that came outside of gateways; ``external_id`` tells it from all others of its source."""

    __tablename__ = "outside_payments"
    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        checked("source", OutsidePaymentSource),
        checked("status", OutsidePaymentStatus),
        checked("reason", UnmatchedReason),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("(status = 'MATCHED') = (payment_id IS NOT NULL)", name="payment_of_status"),
        CheckConstraint("status <> 'UNMATCHED' OR reason IS NOT NULL", name="reason_of_status"),
        Index("ix_outside_payments_new", "bank_statement_id", "id", postgresql_where=text("status = 'NEW'")),
        Index("ix_outside_payments_new_of_table", "bulk_operation_id", "id", postgresql_where=text("status = 'NEW'")),
        Index("ix_outside_payments_status_recent", "status", text("id DESC")),
        Index("ix_outside_payments_statement_recent", "bank_statement_id", text("id DESC")),
        Index("ix_outside_payments_table_recent", "bulk_operation_id", text("id DESC")),
        Index(None, "paid_at", "id"),
        Index(None, "external_id"),
    )

    source: Mapped[OutsidePaymentSource] = mapped_column(StrEnumColumn(OutsidePaymentSource))
    external_id: Mapped[str]
    bank_statement_id: Mapped[int | None] = mapped_column(ForeignKey("bank_statements.id"))
    bulk_operation_id: Mapped[int | None] = mapped_column(ForeignKey("bulk_operations.id"))
    status: Mapped[OutsidePaymentStatus] = mapped_column(StrEnumColumn(OutsidePaymentStatus), server_default="NEW")
    reason: Mapped[UnmatchedReason | None] = mapped_column(StrEnumColumn(UnmatchedReason))
    amount: Mapped[Money]
    currency: Mapped[Currency]
    paid_at: Mapped[datetime]
    document_number: Mapped[str | None]
    invoice_number: Mapped[str | None]
    payer_name: Mapped[str | None]
    payer_inn: Mapped[str | None]
    payer_account: Mapped[str | None]
    purpose: Mapped[str]
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoices.id"), index=True)
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"), unique=True)
    note: Mapped[str | None]
    decided_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None]
