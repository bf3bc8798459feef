"""Second phase, below the root: related objects as JSON text that PostgreSQL writes.

Text joined with `||` is NULL as soon as one part is, which is GraphQL's rule for non-null fields: the nearest
nullable parent becomes null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLNonNull, GraphQLObjectType
from sqlalchemy import Table

from core.principal import Principal
from models.security import TENANT_SECRETS, partner_predicate
from planner.binding import kind_of
from planner.binds import Binds
from planner.pages import Page, page_of, scope_condition
from planner.selection import Selected, Selector, binding_of
from planner.sources import (
    ColumnValue,
    ConnectionPart,
    GlobalId,
    Key,
    MoneyPart,
    MoneyValue,
    SqlValue,
    ToList,
    ToMany,
    ToOne,
)
from planner.write import concatenated, id_text, json_text, literal
from policies.scopes import scope_column


class NotCompilable(TypeError):
    """A field whose declaration has no meaning in this place; a mistake of ours."""


@dataclass(slots=True)
class Scope:
    """What all phases of one compilation share.

    Parameters:
        tables: names of tables with partners' rows that the statement reads.
        way: what FROM names on the way from the statement's first rows to the rows that are being written, for the log.
        seen: selects of the partners whose rows are read.
    """

    selector: Selector
    principal: Principal
    binds: Binds = field(default_factory=Binds)
    tables: set[str] = field(default_factory=set)
    way: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    _aliases: int = 0

    def alias(self) -> str:
        """A fresh alias."""
        self._aliases += 1
        return f"t{self._aliases}"

    @contextmanager
    def step(self, table: Table, source: str, parent: Table | None = None) -> Iterator[None]:
        """Write what is below some rows; those of partners that the log does not know of yet are told to it.

        Parameters:
            source: what FROM names, with its alias; `LATERAL` where it depends on the way there.
            parent: the table one step up: where each of its rows is a partner's, its partner is known already.
        """
        column = scope_column(table)
        self.way.append(source)
        known = parent is not None and always_of_partner(parent)
        if column is not None and not known:
            alias = source.rpartition(" ")[2]
            self.seen.append(f"SELECT {alias}.{column} AS partner FROM {' CROSS JOIN '.join(self.way)}")
        yield
        self.way.pop()


def always_of_partner(table: Table) -> bool:
    """Whether each row of the table belongs to a partner, and what it leads to belongs to the same."""
    column = scope_column(table)
    return column is not None and not table.columns[column].nullable


def table_of(graphql_type: Any) -> Table:
    """The table that a type is bound to."""
    binding = binding_of(graphql_type)
    if binding is None or binding.model is None or not isinstance(binding.model.__table__, Table):
        raise NotCompilable(f"{graphql_type} is not bound to a table")
    return binding.model.__table__


def conditions_of(scope: Scope, table: Table, alias: str, *more: str) -> list[str]:
    """The scope's predicate and more."""
    if partner_predicate(table, "", "") is not None:
        scope.tables.add(table.name)
    held = scope_condition(table, alias, scope.principal, scope.binds)
    return [*more, *([held] if held else [])]


def rows_sql(scope: Scope, table: Table, alias: str, conditions: list[str], tail: str) -> str:
    """The statement of some rows, without columns that a tenant may not even name, or that only searches look at."""
    held = scope.principal.is_tenant or scope.principal.needs_grant
    secrets = TENANT_SECRETS.get(table.name, frozenset()) if held else frozenset[str]()
    shown = (column.name for column in table.columns if column.name not in secrets and column.computed is None)
    columns = ", ".join(f"{alias}.{name}" for name in shown)
    return f"SELECT {columns} FROM {table.name} {alias}{where(conditions)} {tail}"


def where(conditions: list[str]) -> str:
    """A WHERE clause, empty for no conditions."""
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


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
    raise NotCompilable(f"{selected.coordinate} is declared as {source!r}")


def expression_sql(scope: Scope, selected: Selected, source: SqlValue, alias: str) -> str:
    """The SQL of a field that is an expression, with the parameters of its arguments."""
    given = {
        argument.name: scope.binds.of_argument(selected, (argument.name,), argument.pg_type, argument.convert)
        for argument in source.arguments
    }
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
    keep: Callable[[str], str] | None = None,
) -> str:
    """SQL whose value is the JSON text of a connection.

    Parameters:
        base: conditions that hold anyway.
        parent: the table whose row the connection belongs to; None at the root.
        keep: turns the statement of the page's rows into what FROM names; by default a subselect.
    """
    fields = scope.selector.children(selected)
    page = page_of(selected, table, alias, scope.binds, base, scope.principal.permissions)
    kinds = [part.source.part if isinstance(part.source, ConnectionPart) else "" for part in fields]
    whole_page = "page_info" in kinds
    rows = rows_sql(
        scope, table, alias, page.where, f"ORDER BY {page.order} LIMIT {page.size + 1 if whole_page else page.size}"
    )
    takes_rows = whole_page or "nodes" in kinds or "edges" in kinds
    source = keep(rows) if keep is not None and takes_rows else f"({rows})"
    step = f"{source} {alias}" if keep is not None else lateral(rows, alias)
    columns: list[str] = []
    parts = [literal("{")]
    with scope.step(table, step, parent) if takes_rows else nullcontext():
        for index, (part, kind) in enumerate(zip(fields, kinds, strict=True)):
            parts.append(literal(f'{"," if index else ""}"{part.key}":'))
            if part.name == "__typename":
                parts.append(literal(f'"{part.parent.name}"'))
            elif kind == "total_count":
                parts.append(f"(SELECT count(*)::text FROM {table.name} {alias}{where(page.counted)})")
            elif kind == "page_info":
                parts.append(_page_info_text(scope, part, page))
            else:
                columns.append(_row_text(scope, part, kind, node_type, page, alias))
                parts += [literal("["), f"@{len(columns)}", literal("]")]
    parts.append(literal("}"))
    if not takes_rows:
        return f"({concatenated(parts)})"
    if not whole_page:
        listed = {
            f"@{n}": f"coalesce(string_agg({text}, ',' ORDER BY {page.shown}), '')" for n, text in enumerate(columns, 1)
        }
        return f"(SELECT {concatenated([listed.get(part, part) for part in parts])} FROM {source} {alias})"
    direction = " DESC" if page.backward else ""
    within = f"FILTER (WHERE p.n <= {page.size})"
    listed = {
        f"@{n}": f"coalesce(string_agg(p.c{n}, ',' ORDER BY p.n{direction}) {within}, '')"
        for n in range(1, len(columns) + 1)
    }
    numbered = [f"{text} AS c{number}" for number, text in enumerate(columns, 1)]
    numbered += [f"row_number() OVER (ORDER BY {page.order}) AS n", f"{cursor_text(page, alias)} AS k"]
    text = concatenated([listed.get(part, part) for part in parts])
    # Grouped as a whole even where nothing is aggregated (`hasNextPage` may be known beforehand): always one row.
    return f"(SELECT {text} FROM (SELECT {', '.join(numbered)} FROM {source} {alias}) p GROUP BY ())"


def lateral(rows: str, alias: str) -> str:
    """What FROM names for rows that depend on those before."""
    return f"LATERAL ({rows}) {alias}"


def _row_text(scope: Scope, part: Selected, kind: str, node_type: GraphQLObjectType, page: Page, alias: str) -> str:
    if kind == "nodes":
        return object_text(scope, node_type, scope.selector.children(part, node_type), alias)
    if kind != "edges":
        raise NotCompilable(f"{part.coordinate} is not part of a connection")
    pieces = [literal("{")]
    for index, child in enumerate(scope.selector.children(part)):
        pieces.append(literal(f'{"," if index else ""}"{child.key}":'))
        inner = child.source.part if isinstance(child.source, ConnectionPart) else ""
        if inner == "cursor":
            pieces.append(cursor_text(page, alias))
        elif inner == "node":
            pieces.append(object_text(scope, node_type, scope.selector.children(child, node_type), alias))
        else:
            pieces.append(literal(f'"{child.parent.name}"'))
    pieces.append(literal("}"))
    return concatenated(pieces)


def _page_info_text(scope: Scope, selected: Selected, page: Page) -> str:
    more = f"(count(*) > {page.size})::text"
    beyond = literal("true" if page.beyond else "false")
    # Rows are numbered in the order they were taken: from the back, the first number is the page's last row.
    taken_first, taken_last = (
        f"coalesce((array_agg(p.k ORDER BY p.n{direction}) FILTER (WHERE p.n <= {page.size}))[1], 'null')"
        for direction in ("", " DESC")
    )
    values = {
        "has_next_page": beyond if page.backward else more,
        "has_previous_page": more if page.backward else beyond,
        "start_cursor": taken_last if page.backward else taken_first,
        "end_cursor": taken_first if page.backward else taken_last,
    }
    parts = [literal("{")]
    for index, child in enumerate(scope.selector.children(selected)):
        parts.append(literal(f'{"," if index else ""}"{child.key}":'))
        inner = child.source.part if isinstance(child.source, ConnectionPart) else ""
        parts.append(values.get(inner, literal('"PageInfo"')))
    parts.append(literal("}"))
    return concatenated(parts)
