"""The inputs `<Type>Filter` and `<Type>Order` of connections, declared over columns."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import strawberry
from sqlalchemy import Column
from sqlalchemy.types import TypeEngine

from planner.columns import DeclarationError, column_of, graphql_enum, graphql_type_of
from planner.sources import FilterTerm

TERMS_KEY = "__kontora_terms__"
ORDERS_KEY = "__kontora_orders__"


def equals(attribute: Any, description: str, *, id_of: str | None = None, requires: str | None = None) -> FilterTerm:
    """The column has exactly this value; with ``id_of``, the global id of that type is given."""
    return FilterTerm(column_of(attribute), "equals", description, id_of, requires)


def any_of(attribute: Any, description: str, *, requires: str | None = None) -> FilterTerm:
    """The column has one of these values."""
    return FilterTerm(column_of(attribute), "any_of", description, None, requires)


def at_least(attribute: Any, description: str) -> FilterTerm:
    """The column is this value or later (greater)."""
    return FilterTerm(column_of(attribute), "at_least", description)


def before(attribute: Any, description: str) -> FilterTerm:
    """The column is earlier (less) than this value."""
    return FilterTerm(column_of(attribute), "before", description)


def days_ago(attribute: Any, description: str) -> FilterTerm:
    """The column is earlier than this number of days before now."""
    return FilterTerm(column_of(attribute), "days_ago", description)


def meets(
    sql: str, type_of: Any, description: str, *, id_of: str | None = None, requires: str | None = None
) -> FilterTerm:
    """The row meets an SQL condition on ``{row}`` and ``{value}``, for what other tables know of it.

    Parameters:
        type_of: the column whose type the value has, or the SQL type itself.
    """
    column = Column("value", type_of) if isinstance(type_of, TypeEngine) else column_of(type_of)
    return FilterTerm(column, "meets", description, id_of, requires, sql=sql)


def listed(attribute: Any, description: str) -> FilterTerm:
    """The partner is one of those whom the column lists; `models.reach` says which table finds such rows."""
    return FilterTerm(column_of(attribute), "listed", description, "Partner")


def filter_input(type_name: str, terms: Mapping[str, FilterTerm]) -> Any:
    """The input `<Type>Filter`; conditions are joined by AND, absent and null ones do not count."""
    annotations: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    for name, term in terms.items():
        base = strawberry.ID if term.id_of else graphql_type_of(term.column)
        base = getattr(base, "__args__", (base,))[0] if term.column.nullable and not term.id_of else base
        base = int if term.kind == "days_ago" else base
        annotations[name] = (list[base] if term.kind == "any_of" else base) | None  # type: ignore[valid-type]
        fields[name] = strawberry.field(default=None, description=term.description)
    cls = type(f"{type_name}Filter", (), {"__annotations__": annotations, TERMS_KEY: dict(terms), **fields})
    return strawberry.input(cls, description=f"Conditions on {type_name} rows, joined by AND.")


class OrderDirection(enum.Enum):
    """Direction of an order."""

    ASC = "ASC"
    DESC = "DESC"


def order_input(type_name: str, columns: Mapping[str, Any] | None = None) -> Any:
    """The input `<Type>Order`: `CREATED_AT` (by key unless told) always, and these columns, which are never null."""
    table_columns = {name: column_of(attribute) for name, attribute in (columns or {}).items()}
    for name, found in table_columns.items():
        if found.nullable:
            raise DeclarationError(f"{type_name}Order.{name}: rows cannot be paged by the nullable column {found}")
    members = {name: name for name in ("CREATED_AT", *table_columns)}
    members_enum: Any = enum.Enum(f"{type_name}OrderField", members)  # type: ignore[misc]
    field_enum = strawberry.enum(members_enum, description=f"What {type_name} rows are ordered by.")
    body = {
        "__annotations__": {"field": field_enum, "direction": graphql_enum(OrderDirection)},
        ORDERS_KEY: table_columns,
        "field": strawberry.field(description="What the rows are ordered by."),
        "direction": strawberry.field(default=OrderDirection.DESC, description="Direction; descending unless told."),
    }
    return strawberry.input(type(f"{type_name}Order", (), body), description=f"Order of {type_name} rows.")
