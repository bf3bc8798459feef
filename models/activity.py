"""What products tell of partners' activity: values of metrics by day, and the last login (MON-1)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Numeric, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Keyed


class PartnerMetric(Base):
    """The value of a metric of an install on a day; told again, it is replaced."""

    __tablename__ = "partner_metrics"
    __table_args__ = (CheckConstraint("value >= 0", name="value_not_negative"), Index("ix_partner_metrics_day", "day"))

    # This order serves the reads; an install belongs to one partner, so that it alone would tell rows apart too.
    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"), primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    install_id: Mapped[int] = mapped_column(ForeignKey("installs.id"), primary_key=True)
    value: Mapped[Decimal] = mapped_column(Numeric(18, 3))
    reported_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PartnerActivity(Keyed, Base):
    """When somebody of a partner last logged in to a product of ours; there since the partner's first install.

    ``idle_since`` is the last login, and the first install where nobody ever has.
    """

    __tablename__ = "partner_activities"
    __table_args__ = (Index("ix_partner_activities_idle", "idle_since", "id"),)

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"), unique=True)
    last_login_at: Mapped[datetime | None]
    idle_since: Mapped[datetime]
    reported_at: Mapped[datetime | None]
