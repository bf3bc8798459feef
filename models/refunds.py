"""Money given back (INV-2)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.refunds import RefundedCoins, RefundedSubscription, RefundStatus
from models.base import Base, Coins, Currency, Keyed, Money, StrEnumColumn, Updated, checked, timeline_index


class Refund(Keyed, Updated, Base):
    """An amount of a payment that is given back; one at a time a payment is under way.

    ``key`` is what the gateway knows it by, so that a repeat gives nothing back twice; not every kind of payment knows
    it. ``accepted_at`` is when the gateway first said that it was giving the money back.
    """

    __tablename__ = "refunds"
    __table_args__ = (
        checked("status", RefundStatus),
        checked("subscription", RefundedSubscription),
        checked("coins", RefundedCoins),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("(status IN ('SUCCEEDED', 'FAILED')) = (settled_at IS NOT NULL)", name="settled_at_of_status"),
        Index(
            "uq_refunds_open",
            "payment_id",
            unique=True,
            postgresql_where=text("status IN ('PENDING', 'UNKNOWN', 'IN_DOUBT')"),
        ),
        Index("ix_refunds_open_since", "updated_at", postgresql_where=text("status IN ('PENDING', 'UNKNOWN')")),
        Index("ix_refunds_status_recent", "status", text("id DESC")),
        Index("ix_refunds_payment_recent", "payment_id", text("id DESC")),
        Index("ix_refunds_partner_recent", "partner_id", text("id DESC")),
        timeline_index("refunds"),
        Index(None, "invoice_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"))
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"))
    key: Mapped[str] = mapped_column(String(36), unique=True)
    status: Mapped[RefundStatus] = mapped_column(StrEnumColumn(RefundStatus), server_default="PENDING")
    amount: Mapped[Money]
    currency: Mapped[Currency]
    reason: Mapped[str]
    subscription: Mapped[RefundedSubscription] = mapped_column(
        StrEnumColumn(RefundedSubscription), server_default="KEEP"
    )
    coins: Mapped[RefundedCoins] = mapped_column(StrEnumColumn(RefundedCoins), server_default="LEAVE")
    coins_taken: Mapped[Coins] = mapped_column(server_default="0")
    requested_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    sent_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    resolved_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    resolution_note: Mapped[str | None]
