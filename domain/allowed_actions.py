"""What may be done with an object now, answered by the rules that hold when it is done (design: permissions)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Action = TypeVar("Action")
NOTHING_TO_DO = "NOTHING_TO_DO"


@dataclass(frozen=True)
class Blocked:
    """Why something is not done.

    Parameters:
        code: the code of the user error that it would end with; ``FORBIDDEN`` where a permission is missing, and
            ``NOTHING_TO_DO`` where it is as wanted already and asking again changes nothing.
    """

    code: str
    message: str

    @property
    def is_done(self) -> bool:
        """Whether it is as wanted already."""
        return self.code == NOTHING_TO_DO


@dataclass(frozen=True)
class AllowedAction(Generic[Action]):
    """Whether one thing may be done now, and why not."""

    action: Action
    enabled: bool
    blocked_because: Blocked | None


def allowed_actions(
    needed: Mapping[Action, frozenset[str]],
    blocked_because: Callable[[Action], Blocked | None],
    permissions: frozenset[str],
) -> list[AllowedAction[Action]]:
    """Every action with whether the caller may do it now.

    Parameters:
        needed: the actions, each with the permissions that it takes.
        blocked_because: the rule over the object's state.
        permissions: the caller's.
    """
    found = []
    for action, wanted in needed.items():
        lacked = sorted(wanted - permissions)
        blocked = Blocked("FORBIDDEN", f"it needs the permission {lacked[0]}") if lacked else blocked_because(action)
        found.append(AllowedAction(action, blocked is None, blocked))
    return found


def nothing_to_do(noun: str, state: object) -> Blocked:
    """Blocked because it is done already."""
    return Blocked(NOTHING_TO_DO, f"the {noun} is {state} already")
