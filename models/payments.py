"""Payments, their state history and the gateways' raw notifications (INV-3)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.billing import NotificationStatus, PaymentMethod, PaymentStatus
from domain.receipts import ReceiptMethod
from models.base import Base, Currency, Keyed, Money, StrEnumColumn, Updated, checked, timeline_index


class Payment(Keyed, Updated, Base):
    """An attempt to settle an invoice through a gateway or by hand.

    ``receipt_method`` is what its first receipt (54-FZ) calls it; null where it has none. ``rebill_id_encrypted`` is
    the key of the card that pays, where it may be charged again.
    """

    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("gateway", "gateway_payment_id"),
        checked("method", PaymentMethod),
        checked("status", PaymentStatus),
        checked("receipt_method", ReceiptMethod),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("refunded_amount BETWEEN 0 AND amount", name="refund_within_amount"),
        Index(
            "ix_payments_unsettled",
            "status",
            "updated_at",
            postgresql_where=text("status IN ('NEW', 'UNKNOWN', 'PENDING', 'AUTHORIZED')"),
        ),
        Index("ix_payments_invoice_recent", "invoice_id", "created_at", "id"),
        Index("ix_payments_status_recent", "status", "created_at", "id"),
        Index("ix_payments_at_the_gateway", "gateway_payment_id"),
        timeline_index("payments"),
        Index(None, "created_at", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"))
    gateway: Mapped[str]
    method: Mapped[PaymentMethod] = mapped_column(StrEnumColumn(PaymentMethod), server_default="GATEWAY")
    status: Mapped[PaymentStatus] = mapped_column(StrEnumColumn(PaymentStatus), server_default="NEW")
    gateway_status: Mapped[str | None]
    gateway_payment_id: Mapped[str | None]
    order_id: Mapped[str] = mapped_column(String(36), unique=True)
    amount: Mapped[Money]
    refunded_amount: Mapped[Money] = mapped_column(server_default="0")
    currency: Mapped[Currency]
    payment_link: Mapped[str | None]
    link_expires_at: Mapped[datetime | None]
    rrn: Mapped[str | None]
    authorization_code: Mapped[str | None]
    masked_card: Mapped[str | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    gateway_answer: Mapped[dict[str, Any] | None]
    receipt_method: Mapped[ReceiptMethod | None] = mapped_column(StrEnumColumn(ReceiptMethod))
    rebill_id_encrypted: Mapped[str | None]
    charge_sent_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]


class PaymentStateChange(Keyed, Base):
    """One step of a payment's history; insert-only."""

    __tablename__ = "payment_state_changes"
    __table_args__ = (
        Index(None, "payment_id", "id"),
        Index(None, "partner_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"))
    from_status: Mapped[PaymentStatus | None] = mapped_column(StrEnumColumn(PaymentStatus))
    to_status: Mapped[PaymentStatus] = mapped_column(StrEnumColumn(PaymentStatus))
    gateway_status: Mapped[str | None]
    source: Mapped[str]


class GatewayNotification(Keyed, Base):
    """A gateway's message, kept before anything is done with it.

    ``raw_encrypted`` is the text exactly as it came; ``raw`` is the same for people, without the keys of stored cards.
    """

    __tablename__ = "gateway_notifications"
    __table_args__ = (
        checked("status", NotificationStatus),
        Index("ix_gateway_notifications_not_applied", "status", "id", postgresql_where=text("status <> 'APPLIED'")),
    )

    gateway: Mapped[str]
    raw: Mapped[str]
    raw_encrypted: Mapped[str | None]
    headers: Mapped[dict[str, Any]]
    status: Mapped[NotificationStatus] = mapped_column(StrEnumColumn(NotificationStatus), server_default="RECEIVED")
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payments.id"), index=True)
    reason: Mapped[str | None]
    applied_at: Mapped[datetime | None]
