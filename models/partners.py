"""Partners and their contacts (PAR-1)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.partners import DeploymentType, PartnerStatus
from models.base import Base, Keyed, StrEnumColumn, Updated, checked


class Partner(Keyed, Updated, Base):
    """An organisation that buys from us."""

    __tablename__ = "partners"
    __table_args__ = (
        checked("status", PartnerStatus),
        checked("deployment", DeploymentType),
        CheckConstraint("inn ~ '^([0-9]{10}|[0-9]{12})$'", name="inn_digits"),
        CheckConstraint("kpp ~ '^[0-9]{4}[0-9A-Z]{2}[0-9]{3}$'", name="kpp_form"),
        Index("ix_partners_name_order", text("name"), "id"),
    )

    name: Mapped[str]
    legal_name: Mapped[str | None]
    inn: Mapped[str | None] = mapped_column(index=True)
    kpp: Mapped[str | None]
    segment: Mapped[str | None]
    deployment: Mapped[DeploymentType] = mapped_column(StrEnumColumn(DeploymentType), server_default="SAAS")
    status: Mapped[PartnerStatus] = mapped_column(StrEnumColumn(PartnerStatus), server_default="ACTIVE", index=True)
    status_reason: Mapped[str | None]
    connected_at: Mapped[datetime | None]
    account_manager_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", use_alter=True, name="fk_partners_account_manager_id"), index=True
    )
    amocrm_account_id: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    amocrm_domain: Mapped[str | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class Contact(Keyed, Updated, Base):
    """A person at a partner; personal data."""

    __tablename__ = "contacts"
    __table_args__ = (
        Index("uq_contacts_primary", "partner_id", unique=True, postgresql_where=text("is_primary")),
        UniqueConstraint("partner_id", "amocrm_user_id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"), index=True)
    full_name: Mapped[str]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    position: Mapped[str | None]
    amocrm_user_id: Mapped[int | None] = mapped_column(BigInteger)
    is_primary: Mapped[bool] = mapped_column(server_default=text("false"))
