"""Second factors, their recovery codes, sign-ins that wait for one, and identities of single sign-on (ACC-1).

Of these only factors have a `partner_id`: that a user has one is told to the user's partner, their secrets are not.
The others cannot be reached by the role that partners' requests run as.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.access import SignInMethod
from models.base import Base, Keyed, StrEnumColumn, checked


class TotpFactor(Keyed, Base):
    """A user's authenticator app; in force once confirmed. The database takes the partner from the user.

    `last_step` is the time step of the last accepted code; a trigger lets it only grow.
    """

    __tablename__ = "totp_factors"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"), index=True)
    secret_encrypted: Mapped[str]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int | None]


class RecoveryCode(Keyed, Base):
    """A code that stands in for the app, once; kept as a keyed hash."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "code_hash"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    code_hash: Mapped[str]
    used_at: Mapped[datetime | None]


class SignInChallenge(Keyed, Base):
    """A sign-in that still lacks the second factor: short-lived, good for one session."""

    __tablename__ = "sign_in_challenges"
    __table_args__ = (checked("method", SignInMethod),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    method: Mapped[SignInMethod] = mapped_column(StrEnumColumn(SignInMethod))
    token_hash: Mapped[str] = mapped_column(unique=True)
    provider_session_hash: Mapped[str | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    failures: Mapped[int] = mapped_column(Integer, server_default="0")
    used_at: Mapped[datetime | None]


class OidcIdentity(Keyed, Base):
    """Who a user is at a provider of single sign-on: the pair of issuer and subject never changes (OIDC Core, 5.7)."""

    __tablename__ = "oidc_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"), UniqueConstraint("user_id", "issuer"))

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    issuer: Mapped[str]
    subject: Mapped[str]
    last_sign_in_at: Mapped[datetime | None]


class OidcLogout(Base):
    """That a provider's logout token was used; kept for longer than such a token is taken."""

    __tablename__ = "oidc_logouts"

    number_hash: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
