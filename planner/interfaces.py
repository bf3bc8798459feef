"""How interfaces over rows of several tables are declared, and connections that merge these rows.

    @row_interface(requires="partner:read", description="Something that happened.")
    class Happening(Node):
        at: DateTime = shared("When.")
        by: Any = shared_one("schema.access.User", "Who did it.", requires="user:read")

    @bound(models.Note, requires="note:read", description="A note was written.")
    class NoteHappening(Happening):
        at: Any = column(models.Note.created_at, "When.")
        by: Any = to_one("schema.access.User", models.Note.written_by, "Who did it.", requires="user:read")
        note: Any = itself("schema.notes.Note", "The note.")

    happenings: Any = merged("schema.happenings.Happening", "Newest first.", link="partner_id", moment="at")

The types of the interface need no list: each that implements it, and that the caller may read, is merged in. The
interface's `…Filter`, beside it in its module, names its fields as columns of no table.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import strawberry

from planner.binding import argument_type, connection_of, finish, lazy, page_arguments, sourced
from planner.sources import Absent, Itself, Merged, Shared

T = TypeVar("T")


def row_interface(*, requires: str, description: str) -> Callable[[type[T]], type[T]]:
    """An interface over rows; its fields inherit the permission ``requires``."""

    def decorate(cls: type[T]) -> type[T]:
        finish(cls, requires, None)
        return strawberry.interface(cls, description=description)

    return decorate


def shared(description: str, *, requires: str | None = None) -> Any:
    """A field that each type of the interface has; its type is the annotation."""
    return sourced(Shared(requires), description)


def shared_one(path: str, description: str, *, requires: str | None = None) -> Any:
    """A related object, or null, that each type of the interface has."""
    return sourced(Shared(requires), description, lazy(path) | None)


def absent(path: str, description: str, *, requires: str | None = None) -> Any:
    """A related object of the interface that this type never has."""
    return sourced(Absent(requires), description, lazy(path) | None)


def itself(path: str, description: str) -> Any:
    """The same row as an object of another type over its table."""
    return sourced(Itself(), description, lazy(path))


def merged(path: str, description: str, *, link: str, moment: str, requires: str | None = None) -> Any:
    """The rows of the interface's types that point at this row, newest first.

    Parameters:
        link: name of the column that points here, the same in each table.
        moment: the interface's field that orders the rows; index each table by (link, its column, id).
    """
    return sourced(Merged(requires, link, moment), description, connection_of(path), _arguments(path))


def merged_root(path: str, requires: str, description: str, *, link: str, moment: str, of: tuple[str, str]) -> Any:
    """A root field: like :func:`merged`, below a row that an argument names.

    Parameters:
        of: Python name of the argument, and the GraphQL type of its id.
    """
    name, id_of = of
    arguments = {name: (argument_type(strawberry.ID, f"Global id of a {id_of}."), inspect.Parameter.empty)}
    return sourced(
        Merged(requires, link, moment, name, id_of),
        f"{description} Needs `{requires}`.",
        connection_of(path),
        {**arguments, **_arguments(path)},
    )


def _arguments(path: str) -> dict[str, Any]:
    arguments = page_arguments(path)
    del arguments["order_by"]
    return arguments
