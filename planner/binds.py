"""Bind slots: which parameter of the statement takes which value of the request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode, GraphQLField
from graphql.execution.values import VariableValues, get_argument_values

from core.errors import UserError
from planner.selection import Selected


@dataclass(frozen=True, slots=True)
class Slot:
    """A value that depends on the request's variables.

    Parameters:
        definition: the field whose argument it is.
        node: where the document asks for it.
        path: the way from the arguments to the value, such as ``("filter", "status")``.
        convert: from the coerced value to what PostgreSQL takes; raises UserError on what cannot be right.
    """

    definition: GraphQLField
    node: FieldNode
    path: tuple[str, ...]
    convert: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class PrincipalSlot:
    """A value that depends on who asks: an attribute of the run's context."""

    name: str


@dataclass(slots=True)
class Binds:
    """Collects the parameters of one statement."""

    slots: list[Any] = field(default_factory=list)
    _principal: dict[str, str] = field(default_factory=dict)
    _arguments: list[str] = field(default_factory=list)

    def of_principal(self, name: str, pg_type: str) -> str:
        """The parameter that takes an attribute of the run's context; the same one each time."""
        if name not in self._principal:
            self.slots.append(PrincipalSlot(name))
            self._principal[name] = f"${len(self.slots)}::{pg_type}"
        return self._principal[name]

    def of_argument(
        self, selected: Selected, path: tuple[str, ...], pg_type: str, convert: Callable[[Any], Any]
    ) -> str:
        """The parameter that takes a value of an argument."""
        assert selected.definition is not None
        if path[0] in selected.dynamic:
            self.slots.append(Slot(selected.definition, selected.node, path, convert))
        else:
            self.slots.append(convert(follow(selected.arguments, path)))
        self._arguments.append(f"${len(self.slots)}::{pg_type}")
        return self._arguments[-1]

    def unused(self, sql: str) -> list[str]:
        """Parameters that the statement does not mention, such as a filter's where only `__typename` is asked for."""
        return [parameter for parameter in self._arguments if parameter not in sql]


class InvalidText(UserError):
    """PostgreSQL keeps no NUL characters."""

    code = "INVALID_TEXT"


def refuse_nul(value: Any, path: tuple[str, ...] = ()) -> None:
    """Make sure that no text in a value holds a NUL character, which PostgreSQL cannot keep.

    Raises:
        InvalidText: one does; names the way to it.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidText("text may not contain the character U+0000", field=path)
    elif isinstance(value, dict):
        for name, item in value.items():
            refuse_nul(item, (*path, str(name)))
    elif isinstance(value, (list, tuple)):
        for item in value:
            refuse_nul(item, path)


def follow(value: Any, path: tuple[str, ...]) -> Any:
    """The value at the end of a path through dictionaries and inputs."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else getattr(value, name)
    return value


def fill(slots: list[Any], variables: VariableValues, context: Any) -> list[Any]:
    """The statement's parameters for one request."""
    filled = []
    for slot in slots:
        if isinstance(slot, PrincipalSlot):
            filled.append(getattr(context, slot.name))
        elif isinstance(slot, Slot):
            arguments = get_argument_values(slot.definition, slot.node, variables)
            filled.append(slot.convert(follow(arguments, slot.path)))
        else:
            filled.append(slot)
    return filled
