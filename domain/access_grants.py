"""Access grants: who may look at one partner's data, for how long, and how a grant moves (ACC-5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from core.errors import Conflict, UserError

SHORTEST = timedelta(minutes=5)
DEFAULT_LENGTH = timedelta(hours=1)
# A request that nobody has decided is too old to be understood.
REQUEST_LIVES = timedelta(hours=24)
# A working day: then the reason is asked for again.
REASON_LIVES = timedelta(hours=12)
FEWEST_REASON_CHARS = 5
MOST_REASON_CHARS = 500
MOST_TICKET_CHARS = 60


class AccessGrantStatus(StrEnum):
    """How far an access grant is."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    WITHDRAWN = "WITHDRAWN"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


class AccessGrantStep(StrEnum):
    """What can be done with an access grant."""

    APPROVE = "APPROVE"
    DENY = "DENY"
    WITHDRAW = "WITHDRAW"
    REVOKE = "REVOKE"
    EXPIRE = "EXPIRE"


_S, _D = AccessGrantStatus, AccessGrantStep
STEPS: Mapping[tuple[AccessGrantStatus, AccessGrantStep], AccessGrantStatus] = MappingProxyType(
    {
        (_S.REQUESTED, _D.APPROVE): _S.APPROVED,
        (_S.REQUESTED, _D.DENY): _S.DENIED,
        (_S.REQUESTED, _D.WITHDRAW): _S.WITHDRAWN,
        (_S.REQUESTED, _D.EXPIRE): _S.EXPIRED,
        (_S.APPROVED, _D.REVOKE): _S.REVOKED,
        (_S.APPROVED, _D.EXPIRE): _S.EXPIRED,
    }
)
OPEN = frozenset({AccessGrantStatus.REQUESTED, AccessGrantStatus.APPROVED})


class AccessGrantNotOpen(Conflict):
    """The grant has been decided, has ended, or is not far enough for the step."""

    code = "ACCESS_GRANT_NOT_OPEN"


class InvalidAccessGrant(UserError):
    """The request cannot be right: its length, its reason."""

    code = "INVALID_ACCESS_GRANT"


class OwnAccessGrant(UserError):
    """Nobody decides on the own request."""

    code = "OWN_ACCESS_GRANT"


class AccessReasonRequired(UserError):
    """Partners' data is looked at for a reason, which has not been stated."""

    code = "ACCESS_REASON_REQUIRED"

    def __init__(self) -> None:
        super().__init__(
            "say why you look at partners' data: once a working session with the mutation accessReasonSet, "
            "or with the header X-Kontora-Reason"
        )


class InvalidAccessReason(UserError):
    """The stated reason is too short, too long, or not one line."""

    code = "INVALID_ACCESS_REASON"


def moved(status: AccessGrantStatus, step: AccessGrantStep) -> AccessGrantStatus:
    """The state after a step.

    Raises:
        AccessGrantNotOpen: the step is not possible from here.
    """
    found = STEPS.get((status, step))
    if found is None:
        raise AccessGrantNotOpen(f"the access grant is {status}; it cannot {step.lower()}", field=("input", "id"))
    return found


def check_length(length: timedelta, *, longest: timedelta) -> None:
    """Make sure that a grant is neither too short to be of use nor too long.

    Raises:
        InvalidAccessGrant: it is.
    """
    if not SHORTEST <= length <= longest:
        told = f"a grant lasts {_minutes(SHORTEST)} to {_minutes(longest)} minutes, not {_minutes(length)}"
        raise InvalidAccessGrant(told, field=("input", "minutes"))


def checked_reason(reason: str, field: tuple[str, ...] = ("input", "reason")) -> str:
    """A reason that tells something, on one line.

    Raises:
        InvalidAccessReason: it is too short, too long, or not printable.
    """
    told = reason.strip()
    if not FEWEST_REASON_CHARS <= len(told) <= MOST_REASON_CHARS or not told.isprintable():
        raise InvalidAccessReason(
            f"a reason is one line of {FEWEST_REASON_CHARS} to {MOST_REASON_CHARS} characters", field=field
        )
    return told


def _minutes(length: timedelta) -> int:
    return int(length.total_seconds() // 60)
