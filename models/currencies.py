"""Rates of currencies against the base currency (CAT-4)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Numeric, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Currency, Keyed


class CurrencyRate(Keyed, Base):
    """What one unit of a currency was worth in the base currency from a moment on; insert-only."""

    __tablename__ = "currency_rates"
    __table_args__ = (
        UniqueConstraint("currency", "valid_from"),
        CheckConstraint("rate > 0", name="rate_positive"),
    )

    currency: Mapped[Currency]
    rate: Mapped[Decimal] = mapped_column(Numeric(18, 8))
    valid_from: Mapped[datetime]
    source: Mapped[str]
    set_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
