"""Proof of each change and of each look (ACC-5, ACC-6)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.audit_functions import TRANSACTION_NUMBER
from models.base import Base, Keyed


class AuditEvent(Keyed, Base):
    """One change: who, what, before and after with secrets masked; insert-only, a partition a month.

    It refers to users and partners by number only: the trail outlives what it speaks of.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_time", "created_at", "id"),
        Index("ix_audit_events_entity_time", "entity_type", "entity_id", "created_at", "id"),
        Index("ix_audit_events_partner_time", "partner_id", "created_at", "id"),
        Index("ix_audit_events_actor_time", "actor_user_id", "created_at", "id"),
        Index("ix_audit_events_action_time", "action", "created_at", "id"),
        Index(
            "ix_audit_events_transaction",
            "transaction_number",
            postgresql_using="brin",
            postgresql_with={"autosummarize": "on"},
        ),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )

    actor: Mapped[str]
    actor_user_id: Mapped[int | None]
    actor_roles: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    action: Mapped[str]
    entity_type: Mapped[str]
    entity_id: Mapped[int]
    partner_id: Mapped[int | None]
    request_id: Mapped[str | None]
    ip: Mapped[str | None]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    # Of the transaction that wrote it: below the oldest one still running, nothing can appear any more.
    transaction_number: Mapped[int] = mapped_column(server_default=text(TRANSACTION_NUMBER))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), primary_key=True, sort_order=90)


class AuditSegment(Keyed, Base):
    """A link of the audit trail's chain: a seal over the events of some transactions, or a month let go; insert-only.

    Attributes:
        number: 1, 2, 3… without a gap.
        from_transaction: the first transaction number whose events it seals.
        to_transaction: the first one that it leaves to the next segment.
        events: how many events it seals, or how many went with the month.
        event_ids: the sealed events, in ascending order.
        event_digests: a keyed digest of each, one after another, so that a bad one can be named.
        expired_month: the first day of the month that was let go; None for a seal.
        key_id: the encryption key that the keys of digests and hash are derived from.
        previous_hash: the hash of the segment before; empty for the first.
    """

    __tablename__ = "audit_segments"

    number: Mapped[int] = mapped_column(unique=True)
    from_transaction: Mapped[int]
    to_transaction: Mapped[int]
    events: Mapped[int]
    event_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    event_digests: Mapped[bytes]
    expired_month: Mapped[date | None]
    key_id: Mapped[str]
    previous_hash: Mapped[bytes]
    hash: Mapped[bytes]


class AccessLogEntry(Keyed, Base):
    """One look of our staff at partners' rows, written by the reading statement itself; insert-only."""

    __tablename__ = "access_log_entries"
    __table_args__ = (
        Index("ix_access_log_entries_time", "created_at", "id"),
        Index("ix_access_log_entries_user", "user_id", "created_at", "id"),
        Index("ix_access_log_entries_operation", "operation_name", "created_at", "id"),
        Index(
            "ix_access_log_entries_grant",
            "access_grant_id",
            "created_at",
            "id",
            postgresql_where=text("access_grant_id IS NOT NULL"),
        ),
    )

    user_id: Mapped[int | None] = mapped_column(BigInteger)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    operation_name: Mapped[str | None]
    document_hash: Mapped[str]
    fields: Mapped[list[str]] = mapped_column(ARRAY(Text))
    partner_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    reason: Mapped[str | None]
    access_grant_id: Mapped[int | None] = mapped_column(BigInteger)
    request_id: Mapped[str | None]
    ip: Mapped[str | None]


class AccessLogPartner(Base):
    """One partner whom an access log entry concerns, at the entry's moment: its pages are read by this; insert-only.

    Without foreign keys: they would read both rows again at each look, and entries are never deleted.
    """

    __tablename__ = "access_log_partners"

    partner_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), primary_key=True)
    entry_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
