"""Nobody manages who, or gives what, goes beyond their own permissions (ACC-2)."""

from __future__ import annotations

from collections.abc import Iterable

from core.errors import UserError
from core.principal import Principal


class BeyondOwnPermissions(UserError):
    """The user or role has permissions that the caller lacks."""

    code = "BEYOND_OWN_PERMISSIONS"


def refuse_beyond(actor: Principal, permissions: Iterable[str], field: tuple[str, ...]) -> None:
    """Make sure that the caller has all of ``permissions`` too; the command line may do everything.

    Raises:
        BeyondOwnPermissions: some are missing; names them and ``field``.
    """
    beyond = sorted(set(permissions) - actor.permissions)
    if beyond and actor.kind != "system":
        raise BeyondOwnPermissions(f"you lack {', '.join(beyond)}", field=field)
