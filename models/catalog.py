"""Products and their modules, plans with prices and limits, and packages of coins (CAT-1, CAT-2, CAT-3)."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.catalog import PricingModel, ProductKind, ProductStatus, Term
from models.base import Base, Coins, Currency, Keyed, Money, StrEnumColumn, Updated, checked


class Product(Keyed, Updated, Base):
    """Something we sell and bill; its secrets are encrypted or hashed."""

    __tablename__ = "products"
    __table_args__ = (
        checked("kind", ProductKind),
        checked("status", ProductStatus),
        CheckConstraint("trial_days >= 0", name="trial_days_not_negative"),
        CheckConstraint("install_bonus >= 0", name="install_bonus_not_negative"),
        CheckConstraint("bonus_valid_days > 0", name="bonus_valid_days_positive"),
    )

    name: Mapped[str]
    code: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[ProductKind] = mapped_column(StrEnumColumn(ProductKind))
    status: Mapped[ProductStatus] = mapped_column(StrEnumColumn(ProductStatus), server_default="ACTIVE")
    technical_account_url: Mapped[str | None]
    client_uuid: Mapped[uuid.UUID | None] = mapped_column(unique=True)
    client_secret_encrypted: Mapped[str | None]
    client_secret_kept: Mapped[bool] = mapped_column(Computed("client_secret_encrypted IS NOT NULL", persisted=True))
    project_token_hash: Mapped[str | None] = mapped_column(unique=True)
    project_token_hint: Mapped[str | None]
    previous_token_hash: Mapped[str | None] = mapped_column(unique=True)
    previous_token_until: Mapped[datetime | None]
    trial_days: Mapped[int] = mapped_column(Integer, server_default="14")
    wallet_enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    install_bonus: Mapped[Coins] = mapped_column(server_default="1000")
    bonus_valid_days: Mapped[int | None] = mapped_column(Integer)
    subscriptions_enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    install_endpoint: Mapped[str | None]
    activate_endpoint: Mapped[str | None]
    disable_endpoint: Mapped[str | None]
    event_secret_encrypted: Mapped[str | None]
    previous_event_secret_encrypted: Mapped[str | None]
    previous_event_secret_until: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class Module(Keyed, Updated, Base):
    """A part of a product that plans include or not (CAT-1); its code is what the product knows it by."""

    __tablename__ = "modules"
    __table_args__ = (UniqueConstraint("product_id", "code"),)

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    code: Mapped[str]
    name: Mapped[str]
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class Plan(Keyed, Updated, Base):
    """One version of a tariff; a version that was sold never changes (CAT-2). A limit that is null is none."""

    __tablename__ = "plans"
    __table_args__ = (
        UniqueConstraint("product_id", "name", "currency", "version"),
        checked("pricing_model", PricingModel),
        CheckConstraint("min_seats >= 1", name="min_seats_positive"),
        CheckConstraint("grace_days >= 0", name="grace_days_not_negative"),
        CheckConstraint("most_users > 0", name="most_users_positive"),
        CheckConstraint("most_departments > 0", name="most_departments_positive"),
        CheckConstraint("most_integrations > 0", name="most_integrations_positive"),
        CheckConstraint("api_requests_per_minute > 0", name="api_requests_per_minute_positive"),
    )

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    name: Mapped[str]
    currency: Mapped[Currency] = mapped_column(server_default="RUB")
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    pricing_model: Mapped[PricingModel] = mapped_column(StrEnumColumn(PricingModel), server_default="PER_SEAT")
    min_seats: Mapped[int] = mapped_column(Integer, server_default="1")
    grace_days: Mapped[int] = mapped_column(Integer, server_default="3")
    most_users: Mapped[int | None] = mapped_column(Integer)
    most_departments: Mapped[int | None] = mapped_column(Integer)
    most_integrations: Mapped[int | None] = mapped_column(Integer)
    api_requests_per_minute: Mapped[int | None] = mapped_column(Integer)


class PlanPrice(Keyed, Base):
    """Price of one unit for a whole month of a term."""

    __tablename__ = "plan_prices"
    __table_args__ = (
        UniqueConstraint("plan_id", "term"),
        checked("term", Term),
        CheckConstraint("unit_price >= 0", name="unit_price_not_negative"),
    )

    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    term: Mapped[Term] = mapped_column(StrEnumColumn(Term))
    unit_price: Mapped[Money]
    currency: Mapped[Currency]


class PlanModule(Keyed, Base):
    """That a version of a tariff includes a module."""

    __tablename__ = "plan_modules"
    __table_args__ = (UniqueConstraint("plan_id", "module_id"),)

    plan_id: Mapped[int] = mapped_column(ForeignKey("plans.id"))
    module_id: Mapped[int] = mapped_column(ForeignKey("modules.id"), index=True)


class CoinPackage(Keyed, Updated, Base):
    """An amount of coins at a price, for one product or for all (CAT-3); archived rather than deleted."""

    __tablename__ = "coin_packages"
    __table_args__ = (
        CheckConstraint("coins > 0", name="coins_positive"),
        CheckConstraint("price > 0", name="price_positive"),
        Index("ix_coin_packages_offer", "product_id", "active"),
    )

    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id"))
    name: Mapped[str]
    coins: Mapped[Coins]
    price: Mapped[Money]
    currency: Mapped[Currency] = mapped_column(server_default="RUB")
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    version: Mapped[int] = mapped_column(Integer, server_default="1")
