"""Users, roles, permissions, sessions and API tokens (ACC-1, ACC-2, ACC-7)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from domain.access import PasswordLinkPurpose, SessionKind, SignInMethod, UserKind, UserStatus
from models.base import Base, Keyed, StrEnumColumn, Updated, checked, timeline_index


class User(Keyed, Updated, Base):
    """A person who signs in: one of ours, or a partner's."""

    __tablename__ = "users"
    __table_args__ = (
        checked("kind", UserKind),
        checked("status", UserStatus),
        CheckConstraint("(kind = 'PARTNER') = (partner_id IS NOT NULL)", name="partner_of_kind"),
        CheckConstraint("email = lower(email)", name="email_lower"),
        CheckConstraint("locale IN ('en', 'ru')", name="locale_allowed"),
        CheckConstraint("NOT email_taken OR kind = 'PARTNER'", name="taken_of_partners"),
        CheckConstraint("NOT email_taken OR password_hash IS NULL", name="taken_never_signs_in"),
        UniqueConstraint("id", "kind"),
        UniqueConstraint("email", "partner_id"),
        Index("uq_users_email", "email", unique=True, postgresql_where=text("NOT email_taken")),
        Index(None, "partner_id", "id"),
        Index(None, "kind", "id"),
    )

    kind: Mapped[UserKind] = mapped_column(StrEnumColumn(UserKind))
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"))
    email: Mapped[str]
    # The address signs in to somebody else's account; whoever was invited with it cannot sign in, and no partner sees
    # the difference.
    email_taken: Mapped[bool] = mapped_column(server_default=text("false"))
    full_name: Mapped[str]
    password_hash: Mapped[str | None]
    password_set_at: Mapped[datetime | None]
    status: Mapped[UserStatus] = mapped_column(StrEnumColumn(UserStatus), server_default="ACTIVE")
    locale: Mapped[str] = mapped_column(server_default="en")
    failed_sign_ins: Mapped[int] = mapped_column(Integer, server_default="0")
    locked_until: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    last_sign_in_at: Mapped[datetime | None]


class Permission(Keyed, Base):
    """A permission of the vocabulary, kept in step with the code at every migration."""

    __tablename__ = "permissions"

    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str]


class Role(Keyed, Updated, Base):
    """A named set of permissions, for our own people or for partners' (ACC-2)."""

    __tablename__ = "roles"
    __table_args__ = (checked("kind", UserKind), UniqueConstraint("id", "kind"))

    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str]
    kind: Mapped[UserKind] = mapped_column(StrEnumColumn(UserKind))
    built_in: Mapped[bool] = mapped_column(server_default=text("false"))
    totp_required: Mapped[bool] = mapped_column(server_default=text("false"))
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class RolePermission(Base):
    """A permission that a role gives."""

    __tablename__ = "role_permissions"

    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True)
    permission: Mapped[str] = mapped_column(ForeignKey("permissions.name", ondelete="CASCADE"), primary_key=True)


class UserRole(Base):
    """A role that a user has; the database takes kind and partner from the user, so that a role fits whom it is for."""

    __tablename__ = "user_roles"
    __table_args__ = (
        ForeignKeyConstraint(["user_id", "kind"], ["users.id", "users.kind"], ondelete="CASCADE"),
        ForeignKeyConstraint(["role_id", "kind"], ["roles.id", "roles.kind"]),
    )

    user_id: Mapped[int] = mapped_column(primary_key=True)
    role_id: Mapped[int] = mapped_column(primary_key=True, index=True)
    kind: Mapped[UserKind] = mapped_column(StrEnumColumn(UserKind))
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"), index=True)


class UserPermission(Base):
    """A permission given to a user directly; the database takes the partner from the user."""

    __tablename__ = "user_permissions"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    permission: Mapped[str] = mapped_column(ForeignKey("permissions.name", ondelete="CASCADE"), primary_key=True)
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"), index=True)


class PasswordLink(Keyed, Base):
    """A link by which a user sets a password, once: an invitation, or a reset. Only the token's hash is kept."""

    __tablename__ = "password_links"
    __table_args__ = (checked("purpose", PasswordLinkPurpose),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"), index=True)
    purpose: Mapped[PasswordLinkPurpose] = mapped_column(StrEnumColumn(PasswordLinkPurpose))
    token_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Session(Keyed, Base):
    """One sign-in; its refresh tokens are one family (ACC-1)."""

    __tablename__ = "sessions"
    __table_args__ = (
        checked("kind", SessionKind),
        checked("method", SignInMethod),
        timeline_index("sessions"),
        Index(
            "ix_sessions_provider_session",
            "provider_session_hash",
            postgresql_where=text("provider_session_hash IS NOT NULL"),
        ),
        Index(None, "user_id", "id"),
        Index(None, "last_used_at", "id"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"))
    kind: Mapped[SessionKind] = mapped_column(StrEnumColumn(SessionKind))
    method: Mapped[SignInMethod] = mapped_column(StrEnumColumn(SignInMethod), server_default="PASSWORD")
    second_factor: Mapped[bool] = mapped_column(server_default=text("false"))
    cookie_hash: Mapped[str | None] = mapped_column(unique=True)
    provider_session_hash: Mapped[str | None]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None]
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]
    access_reason: Mapped[str | None]
    access_reason_until: Mapped[datetime | None]
    access_grant_id: Mapped[int | None] = mapped_column(ForeignKey("access_grants.id", ondelete="SET NULL"))


class RefreshToken(Keyed, Base):
    """One link of a session's chain of refresh tokens; used once, reuse revokes the family."""

    __tablename__ = "refresh_tokens"

    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ApiToken(Keyed, Base):
    """A named, scoped, expiring token for scripts, stored hashed (ACC-7)."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        UniqueConstraint("user_id", "name"),
        Index("ix_api_tokens_live", "user_id", postgresql_where=text("revoked_at IS NULL")),
        Index(None, "partner_id", "id"),
        Index(None, "expires_at", "id"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"))
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    hint: Mapped[str]
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class CallRate(Base):
    """The moment until which somebody has used up the calls that a rate allows; the subject is a keyed hash (ACC-1)."""

    __tablename__ = "call_rates"

    subject: Mapped[str] = mapped_column(primary_key=True)
    used_until: Mapped[datetime] = mapped_column(index=True)


class SignInFailure(Base):
    """Failed sign-ins in a row of one account, one address, or one account from one address (ACC-1).

    The subject is a keyed hash, so unknown emails are counted like known ones and nothing personal is kept.
    """

    __tablename__ = "sign_in_failures"

    subject: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    last_failed_at: Mapped[datetime] = mapped_column(index=True)
    locked_until: Mapped[datetime | None]
