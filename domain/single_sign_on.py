"""Rules of single sign-on: whom a provider's word lets in, and when it tells of a second factor (ACC-1)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

SECOND_FACTOR_METHODS = frozenset({"mfa", "otp", "hwk", "sc", "pop"})
"""Values of `amr` that stand for more than a password (RFC 8176): several factors, a one-time code, a key in hardware
or a smart card. Codes by telephone are not among them."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a provider says of a person, proven.

    Parameters:
        subject: names the person at the issuer for ever, unlike the email.
        amr: how the person has signed in there.
        session: names the session there (`sid`), where the provider tells of its end.
    """

    issuer: str
    subject: str
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    amr: frozenset[str] = frozenset()
    session: str | None = None

    @property
    def address(self) -> str | None:
        """The email in lower case, where the provider has verified it."""
        told = self.email.strip().lower() if self.email else ""
        return told if self.email_verified and told.count("@") == 1 and "\0" not in told else None

    @property
    def tells_second_factor(self) -> bool:
        """Whether the provider has asked for a second factor."""
        return not SECOND_FACTOR_METHODS.isdisjoint(self.amr)


@dataclass(frozen=True, slots=True)
class Logout:
    """That somebody has signed out at the provider, proven.

    Parameters:
        subject, session: whose logout it is, or of which session; at least one is told.
        number: names the logout; each counts once.
    """

    issuer: str
    subject: str | None
    session: str | None
    number: str
    issued_at: datetime


def in_domains(address: str, domains: Collection[str]) -> bool:
    """Whether an address belongs to one of the domains; subdomains do not count. No domains: every address does."""
    return not domains or address.rpartition("@")[2] in domains
