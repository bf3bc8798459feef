"""How schema types say where their values come from; the declaration is the resolver.

    InvoiceFilter = filter_input("Invoice", {"status": any_of(models.Invoice.status, "Only these states.")})
    InvoiceOrder = order_input("Invoice", {"DUE_AT": models.Invoice.due_at})

    @bound(models.Invoice, requires="invoice:read", description="A bill (INV-1).")
    class Invoice(Node):
        number: str = column(models.Invoice.number, "Gapless number within legal entity and year.")
        total: Money = money(models.Invoice.total, models.Invoice.currency, "What is to be paid, VAT included.")
        partner: Any = to_one("schema.partners.Partner", models.Invoice.partner_id, "Who is billed.")
        payments: Any = to_many("schema.payments.Payment", models.Payment.invoice_id, "Attempts to settle it.")

Types of scalar fields follow from their columns; every field needs a permission, its own or its type's, or the
build fails. A connection to a type takes that type's `…Filter` and `…Order`, found beside it in its module.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Generic, TypeVar

import strawberry
from strawberry.types.field import StrawberryField

from core.principal import ALL_ROWS
from models.base import Base
from planner import scalars
from planner.columns import DeclarationError as DeclarationError
from planner.columns import column_of, graphql_type_of
from planner.columns import graphql_enum as graphql_enum
from planner.columns import kind_of as kind_of
from planner.filters import ORDERS_KEY as ORDERS_KEY
from planner.filters import TERMS_KEY as TERMS_KEY
from planner.filters import OrderDirection as OrderDirection
from planner.filters import any_of as any_of
from planner.filters import at_least as at_least
from planner.filters import before as before
from planner.filters import days_ago as days_ago
from planner.filters import equals as equals
from planner.filters import filter_input as filter_input
from planner.filters import listed as listed
from planner.filters import meets as meets
from planner.filters import order_input as order_input
from planner.sources import (
    BINDING_KEY,
    METADATA_KEY,
    Binding,
    ColumnValue,
    Computed,
    ConnectionPart,
    GlobalId,
    Key,
    MoneyPart,
    MoneyValue,
    Need,
    RootConnection,
    RootFunction,
    RootNode,
    RootSingle,
    Source,
    SqlArgument,
    SqlValue,
    ToList,
    ToMany,
    ToOne,
    Value,
)
from policies.scopes import beyond_partners

T = TypeVar("T")
DEFAULT_PAGE = 20
MAX_PAGE = 100


def lazy(path: str) -> Any:
    """A type named by its module and name, found when the schema is built."""
    module, _, name = path.rpartition(".")
    return Annotated[name, strawberry.lazy(module)]


def connection_of(path: str) -> Any:
    """The connection over a type."""
    generic: Any = Connection
    return generic[lazy(path)]


def sourced(
    source: Source, description: str, graphql_type: Any = None, arguments: Mapping[str, Any] | None = None
) -> Any:
    """A schema field that says where its value comes from."""
    extra: dict[str, Any] = {}
    if graphql_type is not None:
        extra["graphql_type"] = graphql_type
    if arguments is not None:
        extra["resolver"] = _signature_only(arguments)
    return strawberry.field(description=description, metadata={METADATA_KEY: source}, **extra)


def _signature_only(arguments: Mapping[str, Any]) -> Callable[..., None]:
    def compiled() -> None:
        raise AssertionError("operations are compiled; the fields of a bound schema are never resolved one by one")

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in arguments.items()
    ]
    compiled.__signature__ = inspect.Signature(parameters, return_annotation=None)  # type: ignore[attr-defined]
    return compiled


def argument_type(type_: Any, description: str) -> Any:
    """An argument's type with its description."""
    return Annotated[type_, strawberry.argument(description=description)]


def _described(name: str, annotation: Any) -> Any:
    """A mutation's one argument says the same everywhere; others are described where they are declared."""
    return argument_type(annotation, "What is asked for.") if name == "input" else annotation


def page_arguments(path: str) -> dict[str, Any]:
    """The arguments of a connection over a type."""
    return {
        "first": (
            argument_type(int | None, f"How many from the front, 1 to {MAX_PAGE}; {DEFAULT_PAGE} unless told."),
            None,
        ),
        "after": (argument_type(str | None, "Only what comes after this cursor."), None),
        "last": (argument_type(int | None, f"How many from the back, 1 to {MAX_PAGE}."), None),
        "before": (argument_type(str | None, "Only what comes before this cursor."), None),
        "filter": (argument_type(lazy(f"{path}Filter") | None, "Only rows that meet all of these conditions."), None),
        "order_by": (argument_type(lazy(f"{path}Order") | None, "Order of the rows; newest first unless told."), None),
    }


def column(attribute: Any, description: str, *, requires: str | None = None) -> Any:
    """A column of the type's own table."""
    found = column_of(attribute)
    return sourced(ColumnValue(requires, found), description, graphql_type_of(found))


def money(amount: Any, currency: Any, description: str, *, requires: str | None = None) -> Any:
    """An amount with its currency."""
    found = column_of(amount)
    return sourced(
        MoneyValue(requires, found, column_of(currency)), description, Money | None if found.nullable else Money
    )


def to_one(
    path: str,
    attribute: Any,
    description: str,
    *,
    requires: str | None = None,
    optional: bool | None = None,
    only: str = "",
) -> Any:
    """One related object.

    Parameters:
        path: module and name of its type, such as ``schema.partners.Partner``.
        attribute: the foreign key here, or the unique foreign key there that points here.
        optional: whether it may be null; by default as the foreign key says. Rows there may always be missing.
        only: an SQL condition on the row there, ``{row}``, under which the foreign key there is unique.
    """
    found = column_of(attribute)
    nullable = found.nullable if optional is None else optional
    return sourced(ToOne(requires, found, only), description, lazy(path) | None if nullable else lazy(path))


def to_many(path: str, attribute: Any, description: str, *, requires: str | None = None) -> Any:
    """Related objects as a connection, with the filter and order of their type."""
    return sourced(ToMany(requires, column_of(attribute)), description, connection_of(path), page_arguments(path))


def to_list(
    path: str, attribute: Any, description: str, *, order: Any, only: str = "", requires: str | None = None
) -> Any:
    """A few related objects as a plain list, for parts that never grow.

    Parameters:
        order: a column of theirs, or an SQL expression in which ``{row}`` stands for the row there.
        only: an SQL condition on the row there, in the same way.
    """
    ordered = order if isinstance(order, str) else f"{{row}}.{column_of(order).name}"
    return sourced(ToList(requires, column_of(attribute), ordered, only), description, list[lazy(path)])  # type: ignore[misc]


def sql(
    expression: str,
    graphql_type: Any,
    kind: str,
    description: str,
    *,
    requires: str | None = None,
    arguments: tuple[SqlArgument, ...] = (),
    over: type[Base] | None = None,
) -> Any:
    """An SQL expression over the row, where ``{row}`` stands for its alias, and names in braces for its arguments.

    Parameters:
        over: where the row is shared by all, the table with partners' rows that the expression reads; ``{held}`` stands
            for the condition that one of these is within the caller's reach.
    """
    signature = {
        argument.name: (
            argument_type(argument.type, argument.description),
            inspect.Parameter.empty if argument.default is None else argument.default,
        )
        for argument in arguments
    }
    source = SqlValue(requires, expression, kind, arguments, over)
    return sourced(source, description, graphql_type, signature if arguments else None)


def computed(
    function: Callable[[frozenset[str], Mapping[str, Any]], Any],
    needs: Mapping[str, Need],
    graphql_type: Any,
    description: str,
    *,
    requires: str | None = None,
) -> Any:
    """A value that a function computes from the caller's permissions and from what it needs of the row.

    Parameters:
        needs: SQL expressions over the row by the names under which the function takes their values.
        graphql_type: a scalar, or a type made with `plain`, or a list of these.
    """
    return sourced(Computed(requires, function, needs), description, graphql_type)


def value(description: str, *, requires: str | None = None, graphql_type: Any = None) -> Any:
    """A field of a plain type or payload, taken from what the function returned under the field's Python name."""
    return sourced(Value(requires), description, graphql_type)


def object_value(path: str, description: str, *, requires: str | None = None) -> Any:
    """A field of a payload that holds an object; the function returns its key, or None."""
    return sourced(Value(requires), description, lazy(path) | None)


def object_list(path: str, description: str, *, requires: str | None = None) -> Any:
    """A field of a payload that holds objects in the order of the keys that the function returns."""
    return sourced(Value(requires), description, list[lazy(path)])  # type: ignore[misc]


def connection_root(path: str, requires: str, description: str) -> Any:
    """A root field: all rows of a type."""
    return sourced(
        RootConnection(requires), f"{description} Needs `{requires}`.", connection_of(path), page_arguments(path)
    )


def single_root(path: str, requires: str, description: str) -> Any:
    """A root field: one object by id; null where there is none in the caller's reach."""
    arguments = {"id": (argument_type(strawberry.ID, "Global id of the object."), inspect.Parameter.empty)}
    return sourced(RootSingle(requires), f"{description} Needs `{requires}`.", lazy(path) | None, arguments)


def node_root() -> Any:
    """The root field `node`."""
    arguments = {"id": (argument_type(strawberry.ID, "Global id of the object."), inspect.Parameter.empty)}
    return sourced(RootNode("viewer:self"), "Any object by its global id (Relay).", Node | None, arguments)


def nodes_root() -> Any:
    """The root field `nodes`."""
    ids = argument_type(list[strawberry.ID], f"Global ids, at most {MAX_PAGE}; the answer keeps their order.")
    return sourced(
        RootNode("viewer:self", many=True),
        "Several objects by their global ids (Relay).",
        list[Node | None],
        {"ids": (ids, inspect.Parameter.empty)},
    )


def function_root(function: Callable[..., Any], graphql_type: Any, *, requires: str) -> Any:
    """A root field answered by a Python function, whose docstring describes it.

    Its arguments are those of the function after the first, the context.

    Parameters:
        requires: the permission; an empty string lets everybody in, signed in or not.
    """
    arguments = {
        name: (_described(name, parameter.annotation), parameter.default)
        for name, parameter in list(inspect.signature(function, eval_str=True).parameters.items())[1:]
    }
    description = inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    told = f"{description} Needs `{requires}`." if requires else description
    return sourced(RootFunction(requires, function), told, graphql_type, arguments)


def bound(model: type[Base], *, requires: str, description: str) -> Callable[[type[T]], type[T]]:
    """Bind a Strawberry type to a table; its fields inherit the permission ``requires``."""

    def decorate(cls: type[T]) -> type[T]:
        finish(cls, requires, model)
        beyond = f" It is no partner's: needs `{ALL_ROWS}` too." if beyond_partners(model) else ""
        return strawberry.type(cls, description=f"{description}{beyond}")

    return decorate


def plain(*, requires: str, description: str) -> Callable[[type[T]], type[T]]:
    """A type whose values come from a function: a payload or a report."""

    def decorate(cls: type[T]) -> type[T]:
        finish(cls, requires, None)
        return strawberry.type(cls, description=description)

    return decorate


def finish(cls: type[Any], requires: str, model: type[Base] | None) -> None:
    """Bind a class, and make sure that each of its fields says where its value comes from."""
    setattr(cls, BINDING_KEY, Binding(model, requires))
    for name, item in list(vars(cls).items()):
        if not isinstance(item, StrawberryField):
            continue
        source = item.metadata.get(METADATA_KEY)
        if source is None:
            raise DeclarationError(f"{cls.__name__}.{name} does not say where its value comes from")
        if not item.description:
            raise DeclarationError(f"{cls.__name__}.{name} has no description")
        permission = requires if source.requires is None else source.requires
        if permission:
            item.description = f"{item.description} Needs `{permission}`."
        table = getattr(model, "__table__", None)
        if isinstance(source, ColumnValue) and source.column is not None and source.column.table is not table:
            raise DeclarationError(f"{cls.__name__}.{name}: {source.column} is not a column of {table}")


@strawberry.interface(description="An object with a global id (Relay).")
class Node:
    """An object with a global id."""

    id: strawberry.ID = sourced(GlobalId(), "Global id, opaque and stable.")
    database_id: scalars.BigInt = sourced(Key(), "The number that people use.", scalars.BigInt)


@strawberry.type(description="An amount with its currency.")
class Money:
    """An amount with its currency."""

    amount: scalars.Decimal = sourced(MoneyPart("", "amount"), "Exact amount in major units.", scalars.Decimal)
    currency: str = sourced(MoneyPart("", "currency"), "ISO 4217 code.")


@strawberry.type(description="Where a page stands in its connection (Relay).")
class PageInfo:
    """Where a page stands."""

    has_next_page: bool = sourced(ConnectionPart("", "has_next_page"), "Whether more rows follow.")
    has_previous_page: bool = sourced(ConnectionPart("", "has_previous_page"), "Whether rows come before.")
    start_cursor: str | None = sourced(ConnectionPart("", "start_cursor"), "Cursor of the first row.")
    end_cursor: str | None = sourced(ConnectionPart("", "end_cursor"), "Cursor of the last row.")


@strawberry.type(description="One row of a connection with its cursor (Relay).")
class Edge(Generic[T]):
    """One row with its cursor."""

    cursor: str = sourced(ConnectionPart("", "cursor"), "Cursor of this row.")
    node: T = sourced(ConnectionPart("", "node"), "The row.")


@strawberry.type(description="A page of rows (Relay).")
class Connection(Generic[T]):
    """A page of rows."""

    nodes: list[T] = sourced(ConnectionPart("", "nodes"), "The rows.")
    edges: list[Edge[T]] = sourced(ConnectionPart("", "edges"), "The rows with their cursors.")
    page_info: PageInfo = sourced(ConnectionPart("", "page_info"), "Where this page stands.")
    total_count: int = sourced(
        ConnectionPart("", "total_count"), "How many rows there are in all; counted only when asked."
    )
