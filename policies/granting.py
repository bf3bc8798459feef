"""Who may give whom what: nobody grants what they lack, and nobody manages those who may do more (ACC-2)."""

from __future__ import annotations

from collections.abc import Iterable

from core.errors import UserError
from core.principal import Principal
from domain.access import UserKind
from domain.user_actions import beyond_own, some_of
from policies.permissions import ALL
from policies.roles import PARTNER_PERMISSIONS


class BeyondOwnPermissions(UserError):
    """The caller would grant, or take from somebody, what the caller lacks."""

    code = "BEYOND_OWN_PERMISSIONS"


class NotForPartners(UserError):
    """No user of a partner may have the permission."""

    code = "NOT_FOR_PARTNERS"


class UnknownPermission(UserError):
    """The vocabulary has no such permission."""

    code = "UNKNOWN_PERMISSION"


def held_by(actor: Principal, granted: frozenset[str]) -> frozenset[str]:
    """What an actor has at this moment: a call's own permissions, without those that its user has lost since.

    The operator at the command line is Kontora itself, and has all.

    Parameters:
        granted: what the user's roles and direct permissions give now.
    """
    if actor.kind == "system":
        return ALL
    return actor.permissions if actor.user_id is None else actor.permissions & granted


def check_grant(own: frozenset[str], touched: Iterable[str], field: tuple[str, ...] | None = None) -> None:
    """Make sure that everything that a change gives or takes is the actor's own.

    Raises:
        BeyondOwnPermissions: it is not; names some of what is lacking.
    """
    lacking = sorted(set(touched) - own)
    if lacking:
        raise BeyondOwnPermissions(f"you lack {some_of(lacking)}", field=field)


def check_management(own: frozenset[str], theirs: frozenset[str], field: tuple[str, ...] | None = None) -> None:
    """Make sure that a user may do nothing that the actor may not.

    Raises:
        BeyondOwnPermissions: the user may; names some of what the actor lacks.
    """
    blocked = beyond_own(own, theirs)
    if blocked is not None:
        raise BeyondOwnPermissions(blocked.message, field=field)


def check_vocabulary(kind: UserKind, permissions: Iterable[str], field: tuple[str, ...] | None = None) -> None:
    """Make sure that permissions exist, and that people of this kind may have them.

    Raises:
        UnknownPermission: one is not in the vocabulary.
        NotForPartners: they are for partners' users, and one is not.
    """
    wanted = set(permissions)
    if unknown := sorted(wanted - ALL):
        raise UnknownPermission(f"there is no permission {some_of([name[:60] for name in unknown])}", field=field)
    if kind is UserKind.PARTNER and (beyond := sorted(wanted - PARTNER_PERMISSIONS)):
        raise NotForPartners(f"partners' users never have {some_of(beyond)}", field=field)
