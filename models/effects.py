"""Effects outside the database: the outbox, dead letters, events to products and idempotency records."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Computed, ForeignKey, Index, Integer, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.effects import DeadLetterStatus, EndpointPurpose, EventStatus, OutboxStatus
from models.base import Base, Keyed, StrEnumColumn, Updated, checked, timeline_index


class OutboxMessage(Keyed, Base):
    """Work to do after the transaction that wrote it, at least once."""

    __tablename__ = "outbox_messages"
    __table_args__ = (
        checked("status", OutboxStatus),
        Index("ix_outbox_messages_due", "available_at", postgresql_where=text("status = 'PENDING'")),
        Index("ix_outbox_messages_order", "ordering_key", "id", postgresql_where=text("status = 'PENDING'")),
        Index(None, "partner_id", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index(None, "available_at", "id"),
        Index("ix_outbox_messages_dead", "created_at", "id", postgresql_where=text("status = 'DEAD'")),
    )

    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    ordering_key: Mapped[str | None]
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"))
    status: Mapped[OutboxStatus] = mapped_column(StrEnumColumn(OutboxStatus), server_default="PENDING")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    available_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]
    locked_until: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    request_id: Mapped[str | None]
    traceparent: Mapped[str | None]
    done_at: Mapped[datetime | None]


class DeadLetter(Keyed, Base):
    """Work that failed for good and waits for a person."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        checked("status", DeadLetterStatus),
        Index("ix_dead_letters_status_recent", "status", text("id DESC")),
        Index(None, "outbox_message_id", "id"),
        Index(None, "partner_id", "id"),
    )

    outbox_message_id: Mapped[int] = mapped_column(ForeignKey("outbox_messages.id"))
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"))
    install_id: Mapped[int | None] = mapped_column(ForeignKey("installs.id"), index=True)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    error: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer)
    status: Mapped[DeadLetterStatus] = mapped_column(StrEnumColumn(DeadLetterStatus), server_default="OPEN")
    resolved_at: Mapped[datetime | None]
    resolved_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class ProductEvent(Keyed, Base):
    """An event told to a product's endpoint, numbered per install (NOT-2).

    ``order_xid`` is the number of the transaction that wrote it, or of the one that wrote the install's event before
    it, if that is larger. Products read in the order of it and the key, up to the oldest transaction that is not over:
    so none can appear among those that were read.
    """

    __tablename__ = "product_events"
    __table_args__ = (
        UniqueConstraint("install_id", "sequence"),
        checked("status", EventStatus),
        Index("ix_product_events_product_order", "product_id", "order_xid", "id"),
        timeline_index("product_events"),
        Index(None, "product_id", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index(None, "install_id", "created_at", "id"),
        Index(
            "ix_product_events_not_delivered",
            "status",
            "created_at",
            "id",
            postgresql_where=text("status <> 'DELIVERED'"),
        ),
    )

    event_id: Mapped[str] = mapped_column(unique=True)
    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    install_id: Mapped[int] = mapped_column(ForeignKey("installs.id"))
    sequence: Mapped[int] = mapped_column(BigInteger)
    type: Mapped[str]
    payload: Mapped[dict[str, Any]]
    endpoint: Mapped[str | None]
    status: Mapped[EventStatus] = mapped_column(StrEnumColumn(EventStatus), server_default="PENDING")
    delivered_at: Mapped[datetime | None]
    order_xid: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class EventCircuit(Keyed, Updated, Base):
    """How an endpoint of a product has answered lately; open or disabled, nothing is sent there (NOT-2)."""

    __tablename__ = "event_circuits"
    __table_args__ = (UniqueConstraint("product_id", "endpoint"),)

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    endpoint: Mapped[str]
    failures: Mapped[int] = mapped_column(Integer, server_default="0")
    failing_since: Mapped[datetime | None]
    open_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled: Mapped[bool] = mapped_column(Computed("disabled_at IS NOT NULL", persisted=True))
    last_error: Mapped[str | None]


class EventPing(Keyed, Base):
    """A test call to an endpoint that a person asked for."""

    __tablename__ = "event_pings"
    __table_args__ = (checked("purpose", EndpointPurpose),)

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    purpose: Mapped[EndpointPurpose] = mapped_column(StrEnumColumn(EndpointPurpose))
    endpoint: Mapped[str]
    status_code: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None]
    duration_ms: Mapped[int | None] = mapped_column(Integer)
    done_at: Mapped[datetime | None]
    asked_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class EventDelivery(Keyed, Base):
    """One attempt to deliver an event; insert-only."""

    __tablename__ = "event_deliveries"
    __table_args__ = (
        Index(None, "product_event_id", "id"),
        Index(None, "partner_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    product_event_id: Mapped[int] = mapped_column(ForeignKey("product_events.id"))
    attempt: Mapped[int] = mapped_column(Integer)
    status_code: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None]
    duration_ms: Mapped[int] = mapped_column(Integer)


class IdempotencyRecord(Keyed, Base):
    """The stored result of a mutation under a caller's key (API-2)."""

    __tablename__ = "idempotency_records"
    __table_args__ = (
        UniqueConstraint("scope", "key"),
        Index("ix_idempotency_records_expiry", "expires_at", "id"),
        Index(None, "partner_id", "id"),
        Index(None, "key"),
    )

    scope: Mapped[str]
    key: Mapped[str]
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"))
    mutation: Mapped[str]
    input_hash: Mapped[str]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    expires_at: Mapped[datetime]
