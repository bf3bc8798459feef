"""Installs and their OAuth tokens (INS-1, INS-4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Computed, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.installs import InstallStatus, SubscriptionKind
from models.base import Base, Keyed, StrEnumColumn, Updated, checked


class Install(Keyed, Updated, Base):
    """One product at one partner."""

    __tablename__ = "installs"
    __table_args__ = (
        UniqueConstraint("partner_id", "product_id"),
        UniqueConstraint("id", "product_id"),
        checked("status", InstallStatus),
        checked("subscription_kind", SubscriptionKind),
        Index("ix_installs_subscribed_until", "subscribed_until_or_epoch", "id"),
        Index("ix_installs_kind_recent", "subscription_kind", "created_at", "id"),
        Index(None, "product_id", "created_at", "id"),
        Index(None, "status", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index(None, "product_id", "subscribed_until_or_epoch", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    status: Mapped[InstallStatus] = mapped_column(StrEnumColumn(InstallStatus), server_default="INSTALLED")
    subscription_kind: Mapped[SubscriptionKind] = mapped_column(StrEnumColumn(SubscriptionKind), server_default="NONE")
    subscribed_until: Mapped[datetime | None]
    # Rows are paged by columns that are never null; an install that is not subscribed comes first.
    subscribed_until_or_epoch: Mapped[datetime] = mapped_column(
        Computed("coalesce(subscribed_until, to_timestamp(0))", persisted=True)
    )
    installed_by_contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id"), index=True)
    activated_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    event_sequence: Mapped[int] = mapped_column(server_default="0")
    event_xid: Mapped[int] = mapped_column(server_default="0")


class OAuthToken(Keyed, Updated, Base):
    """The pair of tokens that an install uses at the CRM; encrypted, never readable through the API.

    ``lease_until`` keeps a second refresh away while one is under way, without a lock over the call.
    ``invalid_because`` is the CRM's refusal after which only installing again helps.
    """

    __tablename__ = "oauth_tokens"
    __table_args__ = (
        Index("uq_oauth_tokens_active", "install_id", unique=True, postgresql_where=text("active")),
        Index("ix_oauth_tokens_lost", "id", postgresql_where=text("authorization_lost")),
        Index("ix_oauth_tokens_due", "expires_at", postgresql_where=text("active AND invalid_because IS NULL")),
        Index(None, "install_id", "id"),
        Index(None, "partner_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    install_id: Mapped[int] = mapped_column(ForeignKey("installs.id"))
    manager_contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id"), index=True)
    access_token_encrypted: Mapped[str]
    refresh_token_encrypted: Mapped[str]
    expires_at: Mapped[datetime]
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    lease_until: Mapped[datetime | None]
    refreshed_at: Mapped[datetime | None]
    invalid_because: Mapped[str | None]
    authorization_lost: Mapped[bool] = mapped_column(Computed("active AND invalid_because IS NOT NULL", persisted=True))


class WidgetTokenUse(Base):
    """That a one-time token of a widget was used; kept until the token would have ended by itself (ACC-7)."""

    __tablename__ = "widget_token_uses"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    jti: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
