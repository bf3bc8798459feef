"""Who may sign in: kinds and states of users and sessions."""

from __future__ import annotations

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
