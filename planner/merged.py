"""Second phase, for rows of several tables in one connection: each table gives its newest, and the newest are the page.

Every branch is one range of its table's index on (link, moment, id), cut before the union; what a row shows is read
for the rows of the page only. Rows of one moment are ordered by their type's name, then by key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import GraphQLObjectType, get_named_type
from sqlalchemy import Table
from strawberry.utils.str_converters import to_camel_case

from planner.cursor import decode_merged_cursor
from planner.listing import Listing, NotCompilable
from planner.pages import filters_of, window_of
from planner.projection import permissions_of_rows
from planner.scope import Scope, always_of_partner, conditions_of, lateral, rows_sql, table_of, where
from planner.selection import Selected, binding_of, source_of
from planner.sources import ColumnValue, Merged, SqlValue
from policies.scopes import scope_column

ObjectText = Callable[[Scope, GraphQLObjectType, list[Selected], str], str]


def merged_listing(
    scope: Scope, selected: Selected, source: Merged, linked: str, parent: Table | None, object_text: ObjectText
) -> Listing:
    """The rows of a merged connection.

    Parameters:
        linked: SQL of the key that the rows point at.
        parent: the table whose row the connection belongs to; None at the root.
        object_text: writes one row of one type.
    """
    window = window_of(selected.arguments)
    types = types_of(scope, _interface(selected))
    filters = filters_of(selected, scope.binds, scope.principal.permissions)
    keyset = _keyset(scope, selected, source)
    direction = "ASC" if window.backward else "DESC"
    alias = scope.alias()
    branches: list[tuple[str, str, str, str]] = []
    for type_ in types:
        table = table_of(type_)
        row = scope.alias()
        moment = field_sql(type_, source.moment, row)
        held = [test.format(row=row, column=field_sql(type_, term.column.name, row)) for term, test in filters]
        base = conditions_of(scope, table, row, f"{row}.{source.link} = {linked}", *held)
        branches.append((type_.name, f"{table.name} {row}{where(base)}", row, moment))

    def branch(name: str, found: str, row: str, moment: str, limit: int) -> str:
        beyond = "".join(f" AND {test.format(moment=moment, type=name, row=row)}" for test in keyset)
        return (
            f"(SELECT {moment} AS moment, '{name}'::text AS type, {row}.id AS id, {row}.{source.link} AS {source.link} "
            f"FROM {found}{beyond} ORDER BY {moment} {direction}, {row}.id {direction} LIMIT {limit})"
        )

    def order(by: str, way: str) -> str:
        return f'{by}.moment {way}, {by}.type COLLATE "C" {way}, {by}.id {way}'

    def rows(limit: int) -> str:
        parts = [branch(*of, limit) for of in branches] or [_nothing(source)]
        return f"SELECT m.* FROM ({' UNION ALL '.join(parts)}) m ORDER BY {order('m', direction)} LIMIT {limit}"

    def node(part: Selected) -> str:
        cases = []
        for type_ in types:
            there = scope.alias()
            table = table_of(type_)
            one = conditions_of(scope, table, there, f"{there}.id = {alias}.id")
            # The log follows the way of this type's rows only: another type's may have the same key.
            of_type = [*one, f"{alias}.type = '{type_.name}'"]
            with scope.below(lateral(rows_sql(scope, table, there, of_type, ""), there)):
                text = object_text(scope, type_, scope.selector.children(part, type_), there)
            cases.append(f"WHEN '{type_.name}' THEN (SELECT {text} FROM {table.name} {there}{where(one)})")
        return f"CASE {alias}.type {' '.join(cases)} END" if cases else "NULL::text"

    of_partners = all(scope_column(table_of(type_)) == source.link for type_ in types)
    known = not of_partners or (parent is not None and always_of_partner(parent))
    counts = " + ".join(f"(SELECT count(*) FROM {rows})" for _, rows, *_ in branches) or "0"
    return Listing(
        alias=alias,
        order=order(alias, direction),
        shown=order(alias, "DESC"),
        size=window.size,
        backward=window.backward,
        beyond=window.beyond,
        cursor=_cursor_text(source, alias),
        counted=f"({counts})::text",
        rows=rows,
        node=node,
        below=lambda row: scope.below(row, None if known else source.link),
    )


def types_of(scope: Scope, interface: Any) -> list[GraphQLObjectType]:
    """The interface's types that the caller may read, by name."""
    possible = scope.selector.schema.get_possible_types(interface)
    return sorted((type_ for type_ in possible if _readable(scope, type_)), key=lambda type_: type_.name)


def field_sql(type_: GraphQLObjectType, name: str, row: str) -> str:
    """SQL of what a type has for a field of its interface, by the field's Python name."""
    source = source_of(type_.fields[to_camel_case(name)])
    if isinstance(source, ColumnValue) and source.column is not None:
        return f"{row}.{source.column.name}"
    if isinstance(source, SqlValue):
        return f"({source.sql.format(row=row)})"
    raise NotCompilable(f"{type_.name}.{name} is no value to order or filter rows by")


def _interface(selected: Selected) -> Any:
    return get_named_type(selected.type.fields["nodes"].type)


def _readable(scope: Scope, type_: GraphQLObjectType) -> bool:
    return binding_of(type_) is not None and permissions_of_rows(type_) <= scope.principal.permissions


def _keyset(scope: Scope, selected: Selected, source: Merged) -> list[str]:
    """Templates of the conditions that cursors set, over a branch's moment, type and row."""
    tests = []
    for name, sign in (("after", "<"), ("before", ">")):
        if selected.arguments.get(name) is not None:

            def part(index: int) -> Any:
                return lambda cursor: decode_merged_cursor(cursor, source.moment)[index]

            moment, type_, key = (
                scope.binds.of_argument(selected, (name,), pg_type, part(index))
                for index, pg_type in enumerate(("text", "text", "bigint"))
            )
            here = """({moment}, '{type}'::text COLLATE "C", {row}.id)"""
            there = f'({moment}::timestamptz, {type_} COLLATE "C", {key})'
            # The first half is what the index is entered by, whatever PostgreSQL makes of the row of three.
            tests.append(f"{{moment}} {sign}= {moment}::timestamptz AND {here} {sign} {there}")
    return tests


def _nothing(source: Merged) -> str:
    return (
        "(SELECT NULL::timestamptz AS moment, NULL::text AS type, NULL::bigint AS id, "
        f"NULL::bigint AS {source.link} WHERE false)"
    )


def _cursor_text(source: Merged, alias: str) -> str:
    inside = (
        f"""'["{source.moment.upper()}",' || to_json({alias}.moment::text)::text || ',"' || {alias}.type || '",' """
        f"""|| {alias}.id || ']'"""
    )
    return f"""'"' || translate(encode(convert_to({inside}, 'UTF8'), 'base64'), E'\\n', '') || '"'"""
