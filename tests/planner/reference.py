"""The same reads, executed in the ordinary way: graphql-core walks the document and asks for one object after another.

Slow and plain on purpose. It shares the declarations with the compiler and none of its phases, so that a test can
compare the two answers to the same operation.
"""

from __future__ import annotations

import asyncio
import enum
import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

import asyncpg
import strawberry
from graphql import ExecutionResult, GraphQLResolveInfo, GraphQLSchema, execute, get_named_type, parse
from sqlalchemy import Table
from strawberry.utils.str_converters import to_camel_case

from core.errors import NotFound
from core.ids import InvalidId, decode_id, encode_id
from core.principal import Principal
from models.reach import SHARED_ROWS
from planner.binding import DEFAULT_PAGE, MAX_PAGE, ORDERS_KEY, TERMS_KEY, kind_of
from planner.cursor import decode_cursor, decode_merged_cursor, encode_cursor, encode_merged_cursor
from planner.pages import InvalidPage, days_before_now
from planner.projection import project
from planner.selection import DEFINITION, binding_of, source_of
from planner.sources import (
    Absent,
    ColumnValue,
    Computed,
    ConnectionPart,
    FilterTerm,
    GlobalId,
    Itself,
    Key,
    Merged,
    MoneyPart,
    MoneyValue,
    RootConnection,
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
from policies.scopes import NO_PARTNER, reach


@dataclass(frozen=True)
class Row:
    """One row, as the parent of its fields."""

    type_name: str
    table: Table
    values: dict[str, Any]


@dataclass(frozen=True)
class Page:
    """One page of a connection.

    Parameters:
        rows: the rows with their cursors.
        before: whether rows come before the page, as Relay tells it.
        after: whether rows follow it.
        total: how many rows meet the filter.
    """

    rows: list[tuple[str, Row]]
    before: bool
    after: bool
    total: int


@dataclass
class Reference:
    """Executes read operations over one connection.

    Parameters:
        schema: the whole schema.
        connection: whose role may read everything; scope is held here, row by row.
        principal: who asks.
    """

    schema: strawberry.Schema
    connection: asyncpg.Connection[asyncpg.Record]
    principal: Principal
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def execute(
        self, source: str, variables: dict[str, Any] | None = None, operation_name: str | None = None
    ) -> ExecutionResult:
        """Run a valid query operation."""
        result = execute(
            self.visible_schema(),
            parse(source),
            variable_values=variables,
            operation_name=operation_name,
            field_resolver=self.resolve,
            type_resolver=lambda value, *_: value.type_name,
        )
        return await cast("Awaitable[ExecutionResult]", result) if hasattr(result, "__await__") else result

    def visible_schema(self) -> GraphQLSchema:
        """The schema as the principal sees it, without any resolver."""
        return project(self.schema._schema, self.principal.permissions)

    async def resolve(self, parent: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        """The value of one field of one object."""
        declared = source_of(info.parent_type.fields[info.field_name])
        type_ = get_named_type(info.return_type)
        if isinstance(declared, (RootConnection, RootSingle, RootNode)):
            return await self.root(declared, info, arguments)
        if isinstance(declared, ConnectionPart):
            return connection_part(parent, declared.part)
        if isinstance(declared, MoneyPart):
            return parent[declared.part]
        if isinstance(declared, Merged):
            return await self.merged(declared, info, arguments, parent)
        if isinstance(declared, Value):
            return getattr(parent, _python_name(info))
        assert isinstance(parent, Row)
        if isinstance(declared, Itself):
            return Row(type_.name, parent.table, parent.values)
        if isinstance(declared, Absent):
            return None
        if isinstance(declared, ToOne):
            return await self.to_one(parent, declared, type_)
        if isinstance(declared, ToMany):
            assert declared.column is not None
            return await self.page(info, arguments, {declared.column.name: parent.values["id"]})
        if isinstance(declared, ToList):
            assert declared.column is not None
            rows = await self.rows(type_, {declared.column.name: parent.values["id"]}, declared.only)
            places = {row.values["id"]: await self.expression(row, declared.order) for row in rows}
            return sorted(rows, key=lambda row: (places[row.values["id"]], row.values["id"]))
        return await self.own_value(parent, declared, arguments)

    async def own_value(self, row: Row, declared: Source | None, arguments: dict[str, Any]) -> Any:
        """A value of the row itself."""
        if isinstance(declared, GlobalId):
            return encode_id(row.type_name, row.values["id"])
        if isinstance(declared, Key):
            return row.values["id"]
        if isinstance(declared, ColumnValue):
            assert declared.column is not None
            value = row.values[declared.column.name]
            return json.loads(value) if value is not None and kind_of(declared.column) == "json" else value
        if isinstance(declared, MoneyValue):
            assert declared.amount is not None
            assert declared.currency is not None
            amount = row.values[declared.amount.name]
            return None if amount is None else {"amount": amount, "currency": row.values[declared.currency.name]}
        if isinstance(declared, Computed):
            assert declared.function is not None
            needs = ", ".join(
                f"({need.sql.format(row='subject', me=self.principal.user_id or NO_PARTNER)}) AS {name}"
                for name, need in declared.needs.items()
            )
            found = await self.fetch(f"SELECT {needs} FROM {row.table.name} subject WHERE id = $1", row.values["id"])
            return declared.function(self.principal.permissions, dict(found[0]))
        if isinstance(declared, SqlValue):
            given = {argument: argument.convert(arguments[argument.name]) for argument in declared.arguments}
            sql = declared.sql
            if declared.over is not None:
                sql = sql.replace("{held}", self.within(cast(Table, declared.over.__table__)) or "true")
            value = await self.expression(row, sql, given)
            return json.loads(value) if value is not None and declared.kind == "json" else value
        raise TypeError(f"the reference does not know {declared!r}")

    async def expression(self, row: Row, sql: str, given: Mapping[SqlArgument, Any] = MappingProxyType({})) -> Any:
        """An SQL expression over a row."""
        names = {argument.name: f"${index}::{argument.pg_type}" for index, argument in enumerate(given, 2)}
        expression = sql.format(row="subject", **names)
        statement = f"SELECT ({expression}) AS value FROM {row.table.name} subject WHERE id = $1"
        return (await self.fetch(statement, row.values["id"], *given.values()))[0]["value"]

    async def root(self, declared: Source, info: GraphQLResolveInfo[Any], arguments: dict[str, Any]) -> Any:
        """A field of the query type."""
        if isinstance(declared, RootConnection):
            return await self.page(info, arguments, {})
        if isinstance(declared, RootSingle):
            type_ = get_named_type(info.return_type)
            return await self.by_id(type_, decode_id(arguments["id"], type_.name)[1])
        assert isinstance(declared, RootNode)
        if not declared.many:
            return await self.node(info.schema, arguments["id"])
        if len(arguments["ids"]) > MAX_PAGE:
            raise InvalidPage(f"at most {MAX_PAGE} ids")
        return [await self.node(info.schema, value) for value in arguments["ids"]]

    async def node(self, schema: GraphQLSchema, value: str) -> Row | None:
        """The object behind a global id."""
        name, key = decode_id(value)
        type_ = schema.type_map.get(name)
        binding = binding_of(type_)
        if binding is None or binding.model is None:
            raise InvalidId(f"{value[:40]!r} is not the id of an object")
        return await self.by_id(type_, key)

    async def by_id(self, type_: Any, key: int) -> Row | None:
        """One row in the caller's reach."""
        return next(iter(await self.rows(type_, {"id": key})), None)

    async def to_one(self, parent: Row, declared: ToOne, type_: Any) -> Row | None:
        """The row behind a foreign key, or the row that points here."""
        assert declared.column is not None
        column = declared.column
        if column.table is parent.table:
            key = parent.values[column.name]
            return None if key is None else await self.by_id(type_, key)
        found = await self.rows(type_, {column.name: parent.values["id"]}, declared.only)
        if len(found) > 1:
            raise NotFound(f"{column} is not unique")
        return found[0] if found else None

    async def page(self, info: GraphQLResolveInfo[Any], arguments: dict[str, Any], held: dict[str, Any]) -> Page:
        """The page of a connection: all rows are read, then filtered, ordered and cut here."""
        size, backward = _size(arguments)
        definition = info.parent_type.fields[info.field_name]
        connection: Any = get_named_type(info.return_type)
        rows = await self.rows(get_named_type(connection.fields["nodes"].type), held)
        terms = getattr(_input_class(definition, "filter"), TERMS_KEY)
        given = arguments.get("filter") or {}
        for name, term in terms.items():
            wanted = given.get(to_camel_case(name))
            if wanted is not None and term.kind == "meets":
                rows = [row for row in rows if await self.meets(row, term, wanted)]
            elif wanted is not None:
                rows = [row for row in rows if _meets(row.values[term.column.name], term, wanted)]
        order = arguments.get("orderBy")
        name = str(_plain(order["field"])) if order else "CREATED_AT"
        descending = _plain(order["direction"]) == "DESC" if order else True
        column = getattr(_input_class(definition, "orderBy"), ORDERS_KEY).get(name)

        def key(row: Row) -> Any:
            return (row.values[column.name], row.values["id"]) if column is not None else (row.values["id"],)

        rows.sort(key=key, reverse=descending)
        total = len(rows)
        texts = await self.as_text(rows, column)
        cursors = {row.values["id"]: encode_cursor(name, texts.get(row.values["id"]), row.values["id"]) for row in rows}
        for side in ("after", "before"):
            if arguments.get(side) is not None:
                text, at = decode_cursor(arguments[side], name, None if column is None else kind_of(column))
                edge = (await self.from_text(column, text), at) if column is not None else (at,)
                behind = (side == "after") == descending
                rows = [row for row in rows if (key(row) < edge if behind else key(row) > edge)]
        taken = rows[-size:] if backward else rows[:size]
        more = len(rows) > size
        return Page(
            [(cursors[row.values["id"]], row) for row in taken],
            more if backward else arguments.get("after") is not None,
            arguments.get("before") is not None if backward else more,
            total,
        )

    async def meets(self, row: Row, term: FilterTerm, wanted: Any) -> bool:
        """Whether a row meets an SQL condition with a value."""
        value = decode_id(wanted, term.id_of)[1] if term.id_of else _plain(wanted)
        condition = term.sql.format(row="subject", value="$2")
        statement = f"SELECT FROM {row.table.name} subject WHERE id = $1 AND ({condition})"
        return bool(await self.fetch(statement, row.values["id"], value))

    async def merged(
        self, declared: Merged, info: GraphQLResolveInfo[Any], arguments: dict[str, Any], parent: Any
    ) -> Page:
        """The page of a merged connection: all rows of all types are read, then filtered, ordered and cut here."""
        size, backward = _size(arguments)
        if declared.argument:
            key = decode_id(arguments[to_camel_case(declared.argument)], declared.id_of)[1]
        else:
            key = parent.values["id"]
        connection: Any = get_named_type(info.return_type)
        definition = info.parent_type.fields[info.field_name]
        found: list[tuple[Any, str, int, str, Row]] = []
        for type_ in info.schema.get_possible_types(get_named_type(connection.fields["nodes"].type)):
            for row in await self.rows(type_, {declared.link: key}):
                if await self.shown(row, type_, definition, arguments):
                    moment = await self.shared_value(row, type_, declared.moment)
                    text = (await self.fetch("SELECT $1::timestamptz::text AS value", moment))[0]["value"]
                    at = row.values["id"]
                    cursor = encode_merged_cursor(declared.moment, text, type_.name, at)
                    found.append((moment, type_.name, at, cursor, row))
        found.sort(key=lambda item: item[:3], reverse=True)
        total = len(found)
        for side in ("after", "before"):
            if arguments.get(side) is not None:
                text, name, at = decode_merged_cursor(arguments[side], declared.moment)
                moment = (await self.fetch("SELECT $1::text::timestamptz AS value", text))[0]["value"]
                edge = (moment, name, at)
                found = [item for item in found if (item[:3] < edge if side == "after" else item[:3] > edge)]
        taken = found[-size:] if backward else found[:size]
        more = len(found) > size
        return Page(
            [(cursor, row) for *_, cursor, row in taken],
            more if backward else arguments.get("after") is not None,
            arguments.get("before") is not None if backward else more,
            total,
        )

    async def shown(self, row: Row, type_: Any, definition: Any, arguments: dict[str, Any]) -> bool:
        """Whether a row meets the filter over its interface's fields."""
        given = arguments.get("filter") or {}
        for name, term in getattr(_input_class(definition, "filter"), TERMS_KEY).items():
            wanted = given.get(to_camel_case(name))
            if wanted is not None and not _meets(await self.shared_value(row, type_, term.column.name), term, wanted):
                return False
        return True

    async def shared_value(self, row: Row, type_: Any, name: str) -> Any:
        """What a row has for a field of its interface."""
        return await self.own_value(row, source_of(type_.fields[to_camel_case(name)]), {})

    async def rows(self, type_: Any, held: dict[str, Any], only: str = "") -> list[Row]:
        """The rows of a type whose columns have these values, held to the caller's reach."""
        binding = binding_of(type_)
        assert binding is not None
        assert binding.model is not None
        table = cast(Table, binding.model.__table__)
        conditions = [f"subject.{name} = ${index}" for index, name in enumerate(held, 1)]
        if only:
            conditions.append(only.format(row="subject"))
        within = self.within(table, "subject")
        if within is not None:
            conditions.append(within)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        found = [
            dict(record) for record in await self.fetch(f"SELECT * FROM {table.name} subject{where}", *held.values())
        ]
        return [Row(type_.name, table, values) for values in found]

    def within(self, table: Table, row: str = "") -> str | None:
        """The condition that a row, by its alias or by its table's name, is within the caller's reach."""
        if table.name in SHARED_ROWS and (self.principal.is_tenant or self.principal.needs_grant):
            return SHARED_ROWS[table.name]
        partner, me = (str(key or NO_PARTNER) for key in (self.principal.partner_id, self.principal.user_id))
        return reach(table, row or table.name, self.principal, partner=f"{partner}::bigint", me=me)

    async def as_text(self, rows: list[Row], column: Any) -> dict[int, str]:
        """The order column's values as PostgreSQL writes them, by key."""
        if column is None or not rows:
            return {}
        found = await self.fetch(
            f"SELECT id, {column.name}::text AS value FROM {rows[0].table.name} WHERE id = ANY ($1)",
            [row.values["id"] for row in rows],
        )
        return {record["id"]: record["value"] for record in found}

    async def from_text(self, column: Any, text: str | None) -> Any:
        """A cursor's value in the form of the column."""
        type_ = {"datetime": "timestamptz", "decimal": "numeric", "int": "int", "bigint": "bigint"}.get(
            kind_of(column), "text"
        )
        return (await self.fetch(f"SELECT $1::text::{type_} AS value", text))[0]["value"]

    async def fetch(self, sql: str, *parameters: Any) -> list[asyncpg.Record]:
        """One small statement; siblings wait for each other."""
        async with self._lock:
            return await self.connection.fetch(sql, *parameters)


def connection_part(parent: Any, part: str) -> Any:
    """A field of a connection, of an edge or of the page information."""
    if isinstance(parent, tuple):
        return parent[0] if part == "cursor" else parent[1]
    assert isinstance(parent, Page)
    cursors = [cursor for cursor, _ in parent.rows]
    return {
        "nodes": [row for _, row in parent.rows],
        "edges": parent.rows,
        "page_info": parent,
        "total_count": parent.total,
        "has_next_page": parent.after,
        "has_previous_page": parent.before,
        "start_cursor": cursors[0] if cursors else None,
        "end_cursor": cursors[-1] if cursors else None,
    }[part]


def _size(arguments: dict[str, Any]) -> tuple[int, bool]:
    """Rows of the page, and whether it is taken from the back."""
    sizes = [arguments[name] for name in ("first", "last") if arguments.get(name) is not None]
    if len(sizes) > 1 or any(not 1 <= size <= MAX_PAGE for size in sizes):
        raise InvalidPage("bad `first` or `last`")
    return (sizes[0] if sizes else DEFAULT_PAGE), arguments.get("last") is not None


def _python_name(info: GraphQLResolveInfo[Any]) -> str:
    name: str = info.parent_type.fields[info.field_name].extensions[DEFINITION].python_name
    return name


def _input_class(definition: Any, argument: str) -> Any:
    return definition.args[argument].type.extensions[DEFINITION].origin


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _meets(value: Any, term: Any, wanted: Any) -> bool:
    if term.kind == "any_of":
        return value in [_plain(item) for item in wanted]
    if value is None:
        return False
    if term.kind == "listed":
        return decode_id(wanted, term.id_of)[1] in value
    if term.id_of is not None:
        return bool(value == decode_id(wanted, term.id_of)[1])
    if term.kind == "equals":
        return bool(value == _plain(wanted))
    if term.kind == "days_ago":
        return bool(value < days_before_now(wanted, ("filter",)))
    return bool(value >= wanted if term.kind == "at_least" else value < wanted)
