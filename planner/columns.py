"""How columns become GraphQL: their types, and how their values are written."""

from __future__ import annotations

import enum
import inspect
from functools import cache
from typing import Any

import sqlalchemy as sa
import strawberry
from sqlalchemy import Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute

from models.base import StrEnumColumn
from planner import scalars


class DeclarationError(TypeError):
    """A schema declaration that cannot be right; raised while the schema is built."""


def column_of(attribute: Any) -> Column[Any]:
    """The column behind an attribute of a model.

    Raises:
        DeclarationError: it is none.
    """
    if isinstance(attribute, Column):
        return attribute
    if isinstance(attribute, InstrumentedAttribute):
        found = attribute.property.columns[0]
        if isinstance(found, Column):
            return found
    raise DeclarationError(f"{attribute!r} is not a column of a model")


@cache
def graphql_enum(kind: type[enum.Enum]) -> Any:
    """The GraphQL enum over a domain enum, described by its docstring."""
    return strawberry.enum(kind, description=inspect.getdoc(kind))


def kind_of(column: Column[Any]) -> str:
    """How a column's value is written: text, int, bool, bigint, decimal, datetime, enum, json, uuid or list."""
    type_ = column.type
    if isinstance(type_, StrEnumColumn):
        return "enum"
    for sql_type, kind in (
        (sa.BigInteger, "bigint"),
        (sa.Integer, "int"),
        (sa.Boolean, "bool"),
        (sa.Numeric, "decimal"),
        (sa.DateTime, "datetime"),
        (sa.Uuid, "uuid"),
        (JSONB, "json"),
        (sa.ARRAY, "list"),
        (sa.String, "text"),
    ):
        if isinstance(type_, sql_type):
            return kind
    raise DeclarationError(f"{column} has a type that the planner does not write: {type_!r}")


_GRAPHQL_TYPES: dict[str, Any] = {
    "text": str,
    "int": int,
    "bool": bool,
    "bigint": scalars.BigInt,
    "decimal": scalars.Decimal,
    "datetime": scalars.DateTime,
    "uuid": str,
    "json": scalars.JSON,
}


def graphql_type_of(column: Column[Any]) -> Any:
    """The GraphQL type of a column's values."""
    kind = kind_of(column)
    if kind == "enum":
        assert isinstance(column.type, StrEnumColumn)
        found = graphql_enum(column.type.enum)
    elif kind == "list":
        assert isinstance(column.type, sa.ARRAY)
        found = list[scalars.BigInt] if isinstance(column.type.item_type, sa.BigInteger) else list[str]
    else:
        found = _GRAPHQL_TYPES[kind]
    return found | None if column.nullable else found
