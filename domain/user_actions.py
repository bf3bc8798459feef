"""What people may do with a user's account, and whom the rule of granting keeps from it (ACC-1, ACC-2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from domain.access import UserStatus
from domain.allowed_actions import Blocked, nothing_to_do

NAMED_AT_MOST = 5


class UserAction(StrEnum):
    """What people do with a user's account; each is the mutation `user…`, the last one `totpReset`."""

    UPDATE = "UPDATE"
    ACCESS_UPDATE = "ACCESS_UPDATE"
    BLOCK = "BLOCK"
    UNBLOCK = "UNBLOCK"
    SIGN_OUT = "SIGN_OUT"
    PASSWORD_LINK_SEND = "PASSWORD_LINK_SEND"  # noqa: S105
    RESET_SECOND_FACTOR = "RESET_SECOND_FACTOR"


USER_ACTION_NEEDS: Mapping[UserAction, frozenset[str]] = MappingProxyType(
    {
        UserAction.UPDATE: frozenset({"user:write"}),
        UserAction.ACCESS_UPDATE: frozenset({"user:grant"}),
        UserAction.BLOCK: frozenset({"user:block"}),
        UserAction.UNBLOCK: frozenset({"user:block"}),
        UserAction.SIGN_OUT: frozenset({"session:revoke"}),
        UserAction.PASSWORD_LINK_SEND: frozenset({"user:password"}),
        UserAction.RESET_SECOND_FACTOR: frozenset({"second_factor:reset"}),
    }
)
LAST_SUPERADMIN = Blocked("LAST_SUPERADMIN", "nobody else may do everything; make another superadmin first")
USER_BLOCKED = Blocked("USER_BLOCKED", "the user is blocked")
NOT_ENROLLED = Blocked("TOTP_NOT_ENROLLED", "there is no second factor")
OWN_FACTOR = Blocked("CONFLICT", "one's own factor is taken away by totpDisable")


@dataclass(frozen=True)
class UserStanding:
    """What decides which actions are allowed.

    Parameters:
        permissions: all that the user may do.
        oneself: whether it is the caller.
        last_superadmin: whether nobody else may do everything.
        enrolled: whether a second factor is in force.
    """

    status: UserStatus
    permissions: frozenset[str] = frozenset()
    oneself: bool = False
    last_superadmin: bool = False
    enrolled: bool = False


def user_blocked(action: UserAction, standing: UserStanding, own: frozenset[str]) -> Blocked | None:
    """Why the action is not allowed now; None where it is.

    Parameters:
        own: what the caller may do.
    """
    if action is UserAction.RESET_SECOND_FACTOR and standing.oneself:
        return OWN_FACTOR
    beyond = beyond_own(own, standing.permissions)
    if beyond is not None:
        return beyond
    is_blocked = standing.status is UserStatus.BLOCKED
    if action is UserAction.BLOCK:
        last = LAST_SUPERADMIN if standing.last_superadmin else None
        return nothing_to_do("user", standing.status) if is_blocked else last
    if action is UserAction.UNBLOCK:
        return None if is_blocked else nothing_to_do("user", standing.status)
    if action is UserAction.PASSWORD_LINK_SEND:
        return USER_BLOCKED if is_blocked else None
    if action is UserAction.RESET_SECOND_FACTOR:
        return None if standing.enrolled else NOT_ENROLLED
    return None


def beyond_own(own: frozenset[str], theirs: frozenset[str]) -> Blocked | None:
    """Nobody manages those who may do more: why not, naming some of what the caller lacks."""
    lacking = sorted(theirs - own)
    if not lacking:
        return None
    return Blocked("BEYOND_OWN_PERMISSIONS", f"this user has permissions that you lack: {some_of(lacking)}")


def some_of(names: list[str]) -> str:
    """The first of these names, and how many more there are."""
    more = len(names) - NAMED_AT_MOST
    return ", ".join(names[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
