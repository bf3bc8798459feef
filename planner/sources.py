"""Where a schema field's value comes from: the vocabulary that the compiler understands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Column

from models.base import Base

METADATA_KEY = "kontora"
BINDING_KEY = "__kontora_binding__"


@dataclass(frozen=True)
class Binding:
    """What a GraphQL type is bound to.

    Parameters:
        model: the table; None for plain types, whose values come from functions.
        requires: the permission that its fields inherit.
    """

    model: type[Base] | None
    requires: str


@dataclass(frozen=True)
class Source:
    """What every field declares.

    Parameters:
        requires: the permission of the field itself; None inherits the type's.
    """

    requires: str | None = None


@dataclass(frozen=True)
class GlobalId(Source):
    """The Relay id over the key."""


@dataclass(frozen=True)
class Key(Source):
    """The key itself, the number that people use."""


@dataclass(frozen=True)
class ColumnValue(Source):
    """A column of the type's own table."""

    column: Column[Any] | None = None


@dataclass(frozen=True)
class MoneyValue(Source):
    """An amount and its currency, as `Money`."""

    amount: Column[Any] | None = None
    currency: Column[Any] | None = None


@dataclass(frozen=True)
class ToOne(Source):
    """The one object behind a foreign key of this table, or the one row elsewhere that points here.

    Parameters:
        only: an SQL condition on the row there, which ``{row}`` stands for; with it at most one row may match.
    """

    column: Column[Any] | None = None
    only: str = ""


@dataclass(frozen=True)
class ToMany(Source):
    """The rows elsewhere that point here, as a connection."""

    column: Column[Any] | None = None


@dataclass(frozen=True)
class ToList(Source):
    """The few rows elsewhere that point here, as a plain list in a fixed order.

    Parameters:
        order: an SQL expression on the row there, which ``{row}`` stands for.
        only: an SQL condition on the row there.
    """

    column: Column[Any] | None = None
    order: str = ""
    only: str = ""


@dataclass(frozen=True)
class SqlArgument:
    """An argument of a field that is an SQL expression, which its name in braces stands for.

    Parameters:
        type: its Python type, ``int`` or ``str``.
        default: its value unless told; None where it must be told.
        pg_type: the type of the parameter.
        convert: from the given value to the parameter's; raises UserError on what cannot be right.
    """

    name: str
    type: type[int] | type[str]
    default: int | str | None
    description: str
    pg_type: str
    convert: Callable[[Any], Any]


@dataclass(frozen=True)
class Shared(Source):
    """A field of an interface over rows; each of its types says where its own value comes from."""


@dataclass(frozen=True)
class Absent(Source):
    """A field of an interface that a type has nothing for: always null."""


@dataclass(frozen=True)
class Itself(Source):
    """The same row, as an object of another type over the same table."""


@dataclass(frozen=True)
class Merged(Source):
    """The rows of every type of an interface that point at one row, as one connection, newest first.

    Parameters:
        link: the column of each type's table that points at the row.
        moment: the interface's field that the rows are ordered by, under its Python name; never null.
        argument: at the root, the argument that holds the row's global id; elsewhere empty, the row is the parent.
        id_of: the GraphQL type of that id.
    """

    link: str = ""
    moment: str = ""
    argument: str = ""
    id_of: str = ""


@dataclass(frozen=True)
class SqlValue(Source):
    """An SQL expression over the row; ``{row}`` stands for its alias.

    Parameters:
        sql: the expression; its text must not depend on the request.
        kind: how its value is written, as for a column.
        over: a table whose rows the expression reads though the row is shared by all; ``{held}`` stands for the
            condition that one of them, by the table's own name, is within the caller's reach.
    """

    sql: str = ""
    kind: str = "text"
    arguments: tuple[SqlArgument, ...] = ()
    over: type[Base] | None = None


@dataclass(frozen=True)
class Need:
    """What a computed value takes from the row: an SQL expression and its kind.

    In the expression ``{row}`` stands for the row's alias, and ``{me}`` for the number of the caller's user.
    """

    sql: str
    kind: str


@dataclass(frozen=True)
class Computed(Source):
    """A value that a Python function computes from the caller's permissions and the needs' values by their names."""

    function: Callable[[frozenset[str], Mapping[str, Any]], Any] | None = None
    needs: Mapping[str, Need] = field(default_factory=dict)


@dataclass(frozen=True)
class ConnectionPart(Source):
    """A field of a connection, of an edge or of the page information."""

    part: str = ""


@dataclass(frozen=True)
class MoneyPart(Source):
    """A field of `Money`."""

    part: Literal["amount", "currency"] = "amount"


@dataclass(frozen=True)
class Value(Source):
    """A value of what a function returned: a scalar, a nested value, or the key of an object to read."""


@dataclass(frozen=True)
class RootConnection(Source):
    """All rows of a type, as a connection."""


@dataclass(frozen=True)
class RootSingle(Source):
    """One object by its global id."""


@dataclass(frozen=True)
class RootNode(Source):
    """Any object by its global id; with ``many``, several."""

    many: bool = False


@dataclass(frozen=True)
class RootFunction(Source):
    """The answer of a Python function: a query beyond the tables, or a mutation."""

    function: Callable[..., Any] | None = None


FilterKind = Literal["equals", "any_of", "at_least", "before", "days_ago", "meets", "listed"]


@dataclass(frozen=True)
class FilterTerm:
    """One condition that a filter offers.

    Parameters:
        column: what is compared.
        kind: how; ``listed``: the partner is one of those whom the row lists.
        id_of: the GraphQL type whose global id is wanted, for foreign keys.
        requires: permission beyond the type's.
        sql: for ``meets``, the condition on the row, which ``{row}`` stands for, and the given ``{value}``; the
            column then only says of what type the value is.
    """

    column: Column[Any]
    kind: FilterKind
    description: str
    id_of: str | None = None
    requires: str | None = None
    sql: str = ""
