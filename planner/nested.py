"""Second phase, below the root: related objects as JSON text that PostgreSQL writes.

Text joined with `||` is NULL as soon as one part is, which is GraphQL's rule for non-null fields: the nearest
nullable parent becomes null.
"""

from __future__ import annotations

from typing import Any

from graphql import GraphQLNonNull, GraphQLObjectType
from sqlalchemy import Table

from planner.binding import kind_of
from planner.listing import Keep, Listing, NotCompilable, listing_text
from planner.merged import merged_listing
from planner.pages import Page, page_of
from planner.scope import Scope, conditions_of, held_rows, lateral, rows_sql, table_of, where
from planner.selection import Selected
from planner.sources import (
    Absent,
    ColumnValue,
    Computed,
    GlobalId,
    Itself,
    Key,
    Merged,
    MoneyPart,
    MoneyValue,
    SqlValue,
    ToList,
    ToMany,
    ToOne,
)
from planner.write import concatenated, id_text, json_text, literal


def object_text(scope: Scope, type_: GraphQLObjectType, fields: list[Selected], alias: str) -> str:
    """SQL whose value is the JSON text of one row."""
    parts = [literal("{")]
    for index, selected in enumerate(fields):
        parts.append(literal(f'{"," if index else ""}"{selected.key}":'))
        parts.append(field_text(scope, type_, selected, alias))
    parts.append(literal("}"))
    return concatenated(parts)


def field_text(scope: Scope, type_: GraphQLObjectType, selected: Selected, alias: str) -> str:
    """SQL whose value is the JSON text of one field of a row."""
    source = selected.source
    if selected.name == "__typename":
        return literal(f'"{type_.name}"')
    if isinstance(source, GlobalId):
        return id_text(type_.name, f"{alias}.id")
    if isinstance(source, Key):
        return json_text(f"{alias}.id", "bigint", nullable=False)
    nullable = selected.definition is not None and not isinstance(selected.definition.type, GraphQLNonNull)
    if isinstance(source, ColumnValue) and source.column is not None:
        return json_text(f"{alias}.{source.column.name}", kind_of(source.column), nullable=nullable)
    if isinstance(source, SqlValue):
        return json_text(expression_sql(scope, selected, source, alias), source.kind, nullable=nullable)
    if isinstance(source, Computed):
        return scope.computations.place(scope.selector, selected, source, alias, scope.binds)
    if isinstance(source, MoneyValue):
        text = _money_text(scope, selected, source, alias)
        return f"coalesce({text}, 'null')" if nullable else f"({text})"
    if isinstance(source, ToOne):
        text = _to_one_text(scope, selected, source, alias)
        return f"coalesce({text}, 'null')" if nullable else text
    if isinstance(source, ToMany):
        return _to_many_text(scope, selected, source, alias)
    if isinstance(source, ToList):
        return _to_list_text(scope, selected, source, alias)
    if isinstance(source, Itself):
        return object_text(scope, selected.type, scope.selector.children(selected), alias)
    if isinstance(source, Absent):
        return literal("null")
    if isinstance(source, Merged):
        return merged_text(scope, selected, source, f"{alias}.id", parent=table_of(selected.parent))
    raise NotCompilable(f"{selected.coordinate} is declared as {source!r}")


def expression_sql(scope: Scope, selected: Selected, source: SqlValue, alias: str) -> str:
    """The SQL of a field that is an expression, with the parameters of its arguments."""
    given = {
        argument.name: scope.binds.of_argument(selected, (argument.name,), argument.pg_type, argument.convert)
        for argument in source.arguments
    }
    if source.over is not None:
        given["held"] = held_rows(scope, source.over)
    return f"({source.sql.format(row=alias, **given)})"


def _money_text(scope: Scope, selected: Selected, source: MoneyValue, alias: str) -> str:
    assert source.amount is not None
    assert source.currency is not None
    parts = [literal("{")]
    for index, child in enumerate(scope.selector.children(selected)):
        parts.append(literal(f'{"," if index else ""}"{child.key}":'))
        if child.name == "__typename":
            # Written from the amount, so that an absent amount makes the whole of it absent.
            parts.append(f"CASE WHEN {alias}.{source.amount.name} IS NOT NULL THEN '\"Money\"' END")
        elif isinstance(child.source, MoneyPart) and child.source.part == "amount":
            parts.append(json_text(f"{alias}.{source.amount.name}", "decimal", nullable=False))
        else:
            currency = json_text(f"{alias}.{source.currency.name}", "text", nullable=False)
            absent = f"CASE WHEN {alias}.{source.amount.name} IS NOT NULL THEN {currency} END"
            parts.append(absent if source.amount.nullable else currency)
    parts.append(literal("}"))
    if len(parts) == 2:
        return f"CASE WHEN {alias}.{source.amount.name} IS NOT NULL THEN '{{}}' END"
    return concatenated(parts)


def _to_one_text(scope: Scope, selected: Selected, source: ToOne, alias: str) -> str:
    assert source.column is not None
    table = table_of(selected.type)
    there = scope.alias()
    if source.column.table is table and table_of(selected.parent) is not table:
        link = f"{there}.{source.column.name} = {alias}.id"
    else:
        link = f"{there}.id = {alias}.{source.column.name}"
    only = [source.only.format(row=there)] if source.only else []
    conditions = conditions_of(scope, table, there, link, *only)
    with scope.step(table, lateral(rows_sql(scope, table, there, conditions, ""), there), table_of(selected.parent)):
        text = object_text(scope, selected.type, scope.selector.children(selected), there)
    return f"(SELECT {text} FROM {table.name} {there}{where(conditions)})"


def _to_list_text(scope: Scope, selected: Selected, source: ToList, alias: str) -> str:
    assert source.column is not None
    table = table_of(selected.type)
    there = scope.alias()
    only = [source.only.format(row=there)] if source.only else []
    conditions = conditions_of(scope, table, there, f"{there}.{source.column.name} = {alias}.id", *only)
    with scope.step(table, lateral(rows_sql(scope, table, there, conditions, ""), there), table_of(selected.parent)):
        text = object_text(scope, selected.type, scope.selector.children(selected), there)
    rows = f"string_agg({text}, ',' ORDER BY {source.order.format(row=there)}, {there}.id)"
    return f"(SELECT '[' || coalesce({rows}, '') || ']' FROM {table.name} {there}{where(conditions)})"


def _to_many_text(scope: Scope, selected: Selected, source: ToMany, alias: str) -> str:
    assert source.column is not None
    node_type = connection_node_type(selected)
    table = table_of(node_type)
    there = scope.alias()
    base = conditions_of(scope, table, there, f"{there}.{source.column.name} = {alias}.id")
    return connection_text(scope, selected, node_type, table, there, base, parent=table_of(selected.parent))


def connection_node_type(selected: Selected) -> GraphQLObjectType:
    """The type of a connection's rows."""
    nodes: Any = selected.type.fields["nodes"].type
    while not isinstance(nodes, GraphQLObjectType):
        nodes = nodes.of_type
    return nodes


def merged_text(
    scope: Scope,
    selected: Selected,
    source: Merged,
    linked: str,
    *,
    parent: Table | None = None,
    keep: Keep | None = None,
) -> str:
    """SQL whose value is the JSON text of a merged connection.

    Parameters:
        linked: SQL of the key that its rows point at.
        parent: the table whose row the connection belongs to; None at the root.
        keep: turns the statement of the page's rows into what FROM names; by default a subselect.
    """
    listing = merged_listing(scope, selected, source, linked, parent, object_text)
    return listing_text(scope.selector, selected, listing, keep)


def cursor_text(page: Page, alias: str) -> str:
    """SQL whose value is the JSON text of a row's cursor."""
    value = "'null'" if page.order_column is None else f"to_json({alias}.{page.order_column}::text)::text"
    inside = f"""'["{page.order_name}",' || {value} || ',' || {alias}.id || ']'"""
    return f"""'"' || translate(encode(convert_to({inside}, 'UTF8'), 'base64'), E'\\n', '') || '"'"""


def connection_text(
    scope: Scope,
    selected: Selected,
    node_type: GraphQLObjectType,
    table: Table,
    alias: str,
    base: list[str],
    *,
    parent: Table | None = None,
    keep: Keep | None = None,
) -> str:
    """SQL whose value is the JSON text of a connection.

    Parameters:
        base: conditions that hold anyway.
        parent: the table whose row the connection belongs to; None at the root.
        keep: turns the statement of the page's rows into what FROM names; by default a subselect.
    """
    page = page_of(selected, table, alias, scope.binds, base, scope.principal.permissions)

    def node(part: Selected) -> str:
        return object_text(scope, node_type, scope.selector.children(part, node_type), alias)

    listing = Listing(
        alias=alias,
        order=page.order,
        shown=page.shown,
        size=page.size,
        backward=page.backward,
        beyond=page.beyond,
        cursor=cursor_text(page, alias),
        counted=f"(SELECT count(*)::text FROM {page.source}{where(page.counted)})",
        rows=lambda limit: rows_sql(
            scope, table, alias, page.where, f"ORDER BY {page.taken} LIMIT {limit}", source=page.source
        ),
        node=node,
        below=lambda source: scope.step(table, source, parent),
    )
    return listing_text(scope.selector, selected, listing, keep)
