"""Who may sign in: kinds and states of users and sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class UserKind(StrEnum):
    """Whose person a user is."""

    STAFF = "STAFF"
    PARTNER = "PARTNER"


class UserStatus(StrEnum):
    """Whether a user may sign in; blocking ends all sessions at once (ACC-1)."""

    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"


class SessionKind(StrEnum):
    """How a session proves itself: a rotating refresh token, or a browser cookie."""

    TOKEN = "TOKEN"  # noqa: S105
    COOKIE = "COOKIE"


class SignInMethod(StrEnum):
    """How a person has proved who it is: our password, or the provider of single sign-on."""

    PASSWORD = "PASSWORD"  # noqa: S105
    OIDC = "OIDC"


@dataclass(frozen=True, slots=True)
class Entry:
    """How a session is begun.

    Parameters:
        second_factor: whether a second factor was shown too, to us or to the provider.
        provider_session_hash: the session at the provider of single sign-on, which ends this one too.
    """

    method: SignInMethod
    second_factor: bool = False
    provider_session_hash: str | None = None


class PasswordLinkPurpose(StrEnum):
    """Why a link to set a password was sent."""

    INVITE = "INVITE"
    RESET = "RESET"

    @property
    def lifetime(self) -> timedelta:
        """How long the link is good for."""
        return timedelta(days=7) if self is PasswordLinkPurpose.INVITE else timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LockRule:
    """How failed sign-ins lock what they are counted for (ACC-1).

    Parameters:
        free_attempts: failures before the first lock.
        first_lock: length of the first lock; each further failure doubles it.
        longest_lock: the doubling ends here.
    """

    free_attempts: int
    first_lock: timedelta
    longest_lock: timedelta

    def lock_after(self, failures: int) -> timedelta | None:
        """The lock that the ``failures``-th failure in a row brings; None while attempts are free."""
        beyond = failures - self.free_attempts
        if beyond < 0:
            return None
        # 2^20 first locks are longer than any longest lock; the bound keeps the arithmetic small.
        return min(self.first_lock * (1 << min(beyond, 20)), self.longest_lock)


CALLER_RULE = LockRule(5, timedelta(seconds=30), timedelta(hours=1))
"""For one account as guessed from one address: a guesser cannot lock the owner out elsewhere."""

ACCOUNT_RULE = LockRule(50, timedelta(seconds=30), timedelta(minutes=15))
"""For one account as guessed from everywhere: bounds a guesser with many addresses."""

ADDRESS_RULE = LockRule(30, timedelta(seconds=10), timedelta(minutes=15))
"""For one address over all accounts: bounds one password tried on many accounts; an office shares an address."""

FAILURES_FORGOTTEN_AFTER = timedelta(hours=24)


def fits_custom_role(name: str) -> bool:
    """Whether a custom role may have the name; capitals are kept for built-in roles, those to come too."""
    return name != name.upper()
