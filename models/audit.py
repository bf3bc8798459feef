"""Proof of each change and of each look (ACC-5, ACC-6)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Keyed


class AuditEvent(Keyed, Base):
    """One change: who, what, before and after with secrets masked; insert-only."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_entity", "entity_type", "entity_id"),
        Index("ix_audit_events_partner_recent", "partner_id", text("id DESC")),
        Index("ix_audit_events_actor_recent", "actor_user_id", text("id DESC")),
    )

    actor: Mapped[str]
    actor_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    actor_roles: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    action: Mapped[str]
    entity_type: Mapped[str]
    entity_id: Mapped[int]
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"))
    request_id: Mapped[str | None]
    ip: Mapped[str | None]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]


class AccessLogEntry(Keyed, Base):
    """One look of our staff at partners' rows, written by the reading statement itself; insert-only."""

    __tablename__ = "access_log_entries"
    __table_args__ = (Index("ix_access_log_entries_partners", "partner_ids", postgresql_using="gin"),)

    user_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    operation_name: Mapped[str | None]
    document_hash: Mapped[str]
    fields: Mapped[list[str]] = mapped_column(ARRAY(Text))
    partner_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    reason: Mapped[str | None]
    request_id: Mapped[str | None]
    ip: Mapped[str | None]
