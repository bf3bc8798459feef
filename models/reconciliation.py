"""Days on which our payments were compared with the gateway's, and what differed (INV-6)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.reconciliation import DifferenceKind
from models.base import Base, Keyed, StrEnumColumn, Updated, checked


class Reconciliation(Keyed, Updated, Base):
    """One day of a gateway's payments; run again, it is counted anew. ``day_start`` is in the legal entity's zone."""

    __tablename__ = "reconciliations"
    __table_args__ = (UniqueConstraint("gateway", "day_start"),)

    gateway: Mapped[str]
    day_start: Mapped[datetime]
    checked: Mapped[int] = mapped_column(Integer, server_default="0")
    unanswered: Mapped[int] = mapped_column(Integer, server_default="0")
    repaired: Mapped[int] = mapped_column(Integer, server_default="0")
    open: Mapped[int] = mapped_column(Integer, server_default="0")
    finished_at: Mapped[datetime | None]


class ReconciliationDifference(Keyed, Base):
    """A payment of which the gateway says something else than we do."""

    __tablename__ = "reconciliation_differences"
    __table_args__ = (
        checked("kind", DifferenceKind),
        UniqueConstraint("reconciliation_id", "payment_id", "kind"),
        Index("ix_reconciliation_differences_open", "id", postgresql_where=text("NOT repaired")),
    )

    reconciliation_id: Mapped[int] = mapped_column(ForeignKey("reconciliations.id"))
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"), index=True)
    kind: Mapped[DifferenceKind] = mapped_column(StrEnumColumn(DifferenceKind))
    ours: Mapped[str]
    theirs: Mapped[str]
    repaired: Mapped[bool]
