"""Subscriptions and invoices (SUB-1, SUB-7, INV-1)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from domain.billing import InvoiceKind, InvoiceStatus, SubscriptionStatus
from domain.catalog import Term
from models.base import Base, Coins, Currency, Keyed, Money, StrEnumColumn, Updated, checked, timeline_index


class Subscription(Keyed, Updated, Base):
    """An install paying for a plan over a period; at most one per install is live.

    ``pending_…`` takes effect with the next renewal. ``worth`` is the money that pays for the time from
    ``worth_from`` to ``ends_at``; its unused part is the credit of a change. While ``paused_at`` is set no time
    passes for the subscription: nothing renews, expires or reminds. ``invoiced_until`` is the end whose renewal has
    its invoice; ``past_due_at`` begins the days of grace. ``card_account`` is the merchant account (gateway and
    terminal) that stored the card and alone may charge it.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        checked("term", Term),
        checked("status", SubscriptionStatus),
        CheckConstraint("seats >= 1", name="seats_positive"),
        CheckConstraint("unit_price >= 0", name="unit_price_not_negative"),
        CheckConstraint("ends_at > starts_at", name="period_forward"),
        CheckConstraint("anchor_day BETWEEN 1 AND 31", name="anchor_day_of_month"),
        checked("pending_term", Term),
        CheckConstraint("pending_seats >= 1", name="pending_seats_positive"),
        CheckConstraint("pending_unit_price >= 0", name="pending_unit_price_not_negative"),
        CheckConstraint("worth >= 0", name="worth_not_negative"),
        CheckConstraint("paused_at IS NULL OR status = 'ACTIVE'", name="paused_is_active"),
        CheckConstraint("status <> 'PAST_DUE' OR past_due_at IS NOT NULL", name="past_due_since"),
        CheckConstraint("(rebill_id_encrypted IS NULL) = (card_account IS NULL)", name="card_has_account"),
        Index(
            "uq_subscriptions_live",
            "install_id",
            unique=True,
            postgresql_where=text("status IN ('TRIAL', 'ACTIVE', 'PAST_DUE')"),
        ),
        Index(
            "ix_subscriptions_to_invoice",
            "ends_at",
            "id",
            postgresql_where=text(
                "status IN ('ACTIVE', 'PAST_DUE') AND (invoiced_until IS NULL OR invoiced_until < ends_at)"
            ),
        ),
        # The product is the install's; it stands here so that lists of one product are read by an index.
        ForeignKeyConstraint(["install_id", "product_id"], ["installs.id", "installs.product_id"]),
        Index("ix_subscriptions_product_recent", "product_id", text("id DESC")),
        Index("ix_subscriptions_product_ends", "product_id", "ends_at", "id"),
        Index("ix_subscriptions_status_recent", "status", text("id DESC")),
        Index("ix_subscriptions_due", "ends_at", postgresql_where=text("status IN ('TRIAL', 'ACTIVE', 'PAST_DUE')")),
        Index(None, "partner_id", "id"),
        Index(None, "install_id", "id"),
        Index(None, "plan_id", "id"),
        Index(None, "ends_at", "id"),
        Index(None, "plan_id", "ends_at", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    install_id: Mapped[int] = mapped_column(ForeignKey("installs.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plans.id"))
    term: Mapped[Term] = mapped_column(StrEnumColumn(Term))
    status: Mapped[SubscriptionStatus] = mapped_column(StrEnumColumn(SubscriptionStatus))
    seats: Mapped[int] = mapped_column(Integer)
    unit_price: Mapped[Money]
    currency: Mapped[Currency]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    anchor_day: Mapped[int] = mapped_column(SmallInteger)
    auto_renew: Mapped[bool] = mapped_column(server_default=text("true"))
    rebill_id_encrypted: Mapped[str | None]
    card_account: Mapped[str | None]
    canceled_at: Mapped[datetime | None]
    cancel_at_period_end: Mapped[bool] = mapped_column(server_default=text("false"))
    pending_plan_id: Mapped[int | None] = mapped_column(ForeignKey("plans.id"), index=True)
    pending_term: Mapped[Term | None] = mapped_column(StrEnumColumn(Term))
    pending_seats: Mapped[int | None] = mapped_column(Integer)
    pending_unit_price: Mapped[Money | None]
    paused_at: Mapped[datetime | None]
    worth: Mapped[Money] = mapped_column(server_default="0")
    worth_from: Mapped[datetime | None]
    invoiced_until: Mapped[datetime | None]
    past_due_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class SubscriptionChange(Keyed, Base):
    """One line of a subscription's change log (SUB-7); insert-only."""

    __tablename__ = "subscription_changes"
    __table_args__ = (
        timeline_index("subscription_changes"),
        Index(None, "subscription_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscriptions.id"))
    action: Mapped[str]
    actor: Mapped[str]
    actor_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]


class SubscriptionNotice(Keyed, Base):
    """That a subscription's end was announced so many days before it, so that each notice is sent once (SUB-4)."""

    __tablename__ = "subscription_notices"
    __table_args__ = (
        UniqueConstraint("subscription_id", "ends_at", "days_before"),
        CheckConstraint("days_before >= 1", name="days_before_positive"),
        Index(None, "partner_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscriptions.id"))
    ends_at: Mapped[datetime]
    days_before: Mapped[int] = mapped_column(SmallInteger)


class InvoiceCounter(Base):
    """The last invoice number given in one year by one legal entity; locked to give the next."""

    __tablename__ = "invoice_counters"

    legal_entity: Mapped[str] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(Integer, primary_key=True)
    last_sequence: Mapped[int]


class Invoice(Keyed, Updated, Base):
    """A bill; once issued it is cancelled or credited, never edited (INV-1)."""

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("legal_entity", "year", "sequence"),
        checked("kind", InvoiceKind),
        checked("status", InvoiceStatus),
        checked("term", Term),
        CheckConstraint("total >= 0", name="total_not_negative"),
        CheckConstraint("vat_amount BETWEEN 0 AND total", name="vat_within_total"),
        CheckConstraint("seats >= 1", name="seats_positive"),
        CheckConstraint("period_end > period_start", name="period_forward"),
        CheckConstraint(
            "(status IN ('PAID', 'REFUNDED', 'PARTIALLY_REFUNDED')) = (paid_at IS NOT NULL)", name="paid_at_of_status"
        ),
        Index(
            "uq_invoices_open_start",
            "install_id",
            unique=True,
            postgresql_where=text(
                "kind = 'SUBSCRIPTION_START' AND status IN ('PENDING', 'CHARGING', 'ACTION_REQUIRED', 'FAILED')"
            ),
        ),
        Index(
            "uq_invoices_open_change",
            "subscription_id",
            unique=True,
            postgresql_where=text(
                "kind IN ('SEATS_UPGRADE', 'PLAN_CHANGE') "
                "AND status IN ('PENDING', 'CHARGING', 'ACTION_REQUIRED', 'FAILED')"
            ),
        ),
        Index(
            "uq_invoices_renewal",
            "subscription_id",
            "period_start",
            unique=True,
            postgresql_where=text("kind = 'RENEWAL' AND status <> 'CANCELED'"),
        ),
        Index("ix_invoices_to_charge", "next_charge_at", postgresql_where=text("next_charge_at IS NOT NULL")),
        CheckConstraint("next_charge_at IS NULL OR status IN ('PENDING', 'FAILED')", name="charged_while_open"),
        CheckConstraint("(kind = 'COIN_PURCHASE') = (coins IS NOT NULL)", name="coins_of_purchase"),
        CheckConstraint("coins > 0", name="coins_positive"),
        CheckConstraint("NOT top_up OR kind = 'COIN_PURCHASE'", name="top_up_buys_coins"),
        # However many charges and retries cross the threshold, one purchase is under way (WAL-5).
        Index(
            "uq_invoices_open_top_up",
            "install_id",
            unique=True,
            postgresql_where=text("top_up AND status IN ('PENDING', 'CHARGING', 'ACTION_REQUIRED', 'FAILED')"),
        ),
        timeline_index("invoices"),
        Index("ix_invoices_install_recent", "install_id", "created_at", "id"),
        Index("ix_invoices_status_recent", "status", "created_at", "id"),
        Index("ix_invoices_due", "due_at", "id"),
        Index("ix_invoices_total", "total", "id"),
        Index(None, "subscription_id", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index("ix_invoices_top_ups", "created_at", "id", postgresql_where=text("top_up")),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    install_id: Mapped[int | None] = mapped_column(ForeignKey("installs.id"))
    subscription_id: Mapped[int | None] = mapped_column(ForeignKey("subscriptions.id"))
    legal_entity: Mapped[str]
    year: Mapped[int] = mapped_column(Integer)
    sequence: Mapped[int]
    number: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[InvoiceKind] = mapped_column(StrEnumColumn(InvoiceKind))
    status: Mapped[InvoiceStatus] = mapped_column(StrEnumColumn(InvoiceStatus), server_default="PENDING")
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plans.id"), index=True)
    coin_package_id: Mapped[int | None] = mapped_column(ForeignKey("coin_packages.id"), index=True)
    coins: Mapped[Coins | None]
    top_up: Mapped[bool] = mapped_column(server_default=text("false"))
    term: Mapped[Term | None] = mapped_column(StrEnumColumn(Term))
    seats: Mapped[int | None] = mapped_column(Integer)
    unit_price: Mapped[Money | None]
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    currency: Mapped[Currency]
    total: Mapped[Money]
    vat_rate: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    vat_amount: Mapped[Money] = mapped_column(server_default="0")
    auto_renew: Mapped[bool] = mapped_column(server_default=text("true"))
    next_charge_at: Mapped[datetime | None]
    charge_attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    due_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    canceled_at: Mapped[datetime | None]
    settled_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    settlement_note: Mapped[str | None]


class InvoiceLine(Keyed, Base):
    """One line of an invoice."""

    __tablename__ = "invoice_lines"
    __table_args__ = (
        UniqueConstraint("invoice_id", "position"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        Index(None, "partner_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"))
    position: Mapped[int] = mapped_column(SmallInteger)
    description: Mapped[str]
    quantity: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    unit_price: Mapped[Money]
    amount: Mapped[Money]
    currency: Mapped[Currency]
