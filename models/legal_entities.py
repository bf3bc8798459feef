"""Our own legal entities: who issues invoices, and what is printed on them (INV-4)."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import CheckConstraint, Integer, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Keyed, Updated


class LegalEntity(Keyed, Updated, Base):
    """A company of ours: tax numbers, bank details, who signs, and the VAT rate of its invoices."""

    __tablename__ = "legal_entities"
    __table_args__ = (CheckConstraint("vat_rate > 0 AND vat_rate < 100", name="vat_rate_percent"),)

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    inn: Mapped[str]
    kpp: Mapped[str | None]
    ogrn: Mapped[str | None]
    address: Mapped[str]
    bank_name: Mapped[str]
    bik: Mapped[str]
    account: Mapped[str]
    correspondent_account: Mapped[str]
    signatory: Mapped[str]
    signatory_title: Mapped[str]
    accountant: Mapped[str | None]
    vat_rate: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    version: Mapped[int] = mapped_column(Integer, server_default="1")
