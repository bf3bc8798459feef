"""Access grants: leave to look at one partner's data for a while, given by a second person (ACC-5)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.access_grants import AccessGrantStatus
from models.base import Base, Keyed, StrEnumColumn, Updated, checked


class AccessGrant(Keyed, Updated, Base):
    """Leave to look at one partner's data; in force while it is approved and not past its end."""

    __tablename__ = "access_grants"
    __table_args__ = (
        checked("status", AccessGrantStatus),
        CheckConstraint("decided_by_user_id <> requested_by_user_id", name="decided_by_another"),
        CheckConstraint(
            "(status = 'REQUESTED') = (decided_at IS NULL) OR status IN ('EXPIRED', 'WITHDRAWN')", name="decided"
        ),
        CheckConstraint("status <> 'APPROVED' OR expires_at IS NOT NULL", name="ends"),
        CheckConstraint("minutes > 0", name="minutes_positive"),
        Index(
            "uq_access_grants_open",
            "requested_by_user_id",
            "partner_id",
            unique=True,
            postgresql_where=text("status IN ('REQUESTED', 'APPROVED')"),
        ),
        Index(None, "status", "created_at", "id"),
        Index("ix_access_grants_asker_recent", "requested_by_user_id", "created_at", "id"),
        Index("ix_access_grants_partner_recent", "partner_id", "created_at", "id"),
        Index(None, "created_at", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    # As it was when access was asked for: whoever has no access yet must know what is asked for.
    partner_name: Mapped[str]
    requested_by_user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    ticket: Mapped[str | None]
    reason: Mapped[str]
    minutes: Mapped[int] = mapped_column(Integer)
    status: Mapped[AccessGrantStatus] = mapped_column(StrEnumColumn(AccessGrantStatus), server_default="REQUESTED")
    decided_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None]
    decision_note: Mapped[str | None]
    by_policy: Mapped[bool] = mapped_column(server_default=text("false"))
    expires_at: Mapped[datetime | None]
    ended_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    ended_at: Mapped[datetime | None]
