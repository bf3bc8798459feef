"""Every connection of the schema, the pages that can be asked of it, and the plans that PostgreSQL makes for them.

Tables hold a row each and say that they hold a million, so that a plan shows what a large table would be read by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
from graphql import GraphQLEnumType, GraphQLField, GraphQLObjectType, get_named_type
from sqlalchemy import Column, Table
from strawberry.utils.str_converters import to_camel_case

from core.database import APP_ROLE, GRANTEE_ROLE, TENANT_ROLE
from core.ids import encode_id
from core.principal import ALL_ROWS, Principal
from models import Base
from models.reach import PARTNER_LINKS
from planner.answer import Answer
from planner.binding import MAX_PAGE, ORDERS_KEY, TERMS_KEY, kind_of
from planner.context import RunContext
from planner.cursor import encode_cursor
from planner.document import coerced
from planner.pages import BY_KEY
from planner.planning import plan_of
from planner.scope import table_of
from planner.selection import DEFINITION, source_of
from planner.sources import FilterTerm, RootConnection, ToMany
from policies.permissions import ALL
from policies.scopes import scope_column
from resolvers.root import planner
from tests.walks import node_type

KEY = 9_001
ROWS = 1_000_000
# How many rows the tables say that a partner has of them, and how many any other row has that points there.
OF_A_PARTNER, OF_ANOTHER = 1_000, 10
HELD = ALL - {ALL_ROWS}
# What only is taken where nothing else is left: what a plan still has of it, no index could spare it.
UNORDERED = ("enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_incremental_sort")
UNINDEXED = ("enable_seqscan",)
# Both ways through an order, with and without a cursor, by each direction and from either end.
PAGES = (("DESC", "first", ""), ("DESC", "first", "after"), ("ASC", "first", "after"), ("DESC", "last", "before"))
_VALUES: dict[str, list[Any]] = {
    "Boolean": [True, False],
    "DateTime": ["2026-01-01T00:00:00Z"],
    "Int": [1],
}
_SAMPLES = {"datetime": "2026-01-01 00:00:00+00"}


@dataclass(frozen=True)
class Caller:
    """Who asks, and the role of the database that reads for it."""

    principal: Principal
    role: str

    @property
    def is_held(self) -> bool:
        """Whether it reaches only some rows."""
        return self.role != APP_ROLE


CALLERS = {
    "staff": Caller(Principal(kind="staff", permissions=ALL, user_id=KEY), APP_ROLE),
    "a partner": Caller(Principal(kind="partner", permissions=HELD, user_id=KEY, partner_id=KEY), TENANT_ROLE),
    "support": Caller(Principal(kind="staff", permissions=HELD, user_id=KEY), GRANTEE_ROLE),
}


@dataclass(frozen=True)
class Listed:
    """One connection of the schema.

    Parameters:
        parent: the type whose field it is.
        link: the column that points at the parent's row; None at the root.
    """

    parent: GraphQLObjectType
    name: str
    definition: GraphQLField
    type: GraphQLObjectType
    link: Column[Any] | None

    @property
    def coordinate(self) -> str:
        """How the schema names it."""
        return f"{self.parent.name}.{self.name}"

    @property
    def table(self) -> Table:
        """The table that it pages."""
        return table_of(self.type)

    def declared(self, argument: str, key: str) -> dict[str, Any]:
        """What its filter or order is declared as, by name."""
        input_type: Any = get_named_type(self.definition.args[argument].type)
        found: dict[str, Any] = getattr(input_type.extensions[DEFINITION].origin, key)
        return found

    def orders(self) -> dict[str, Column[Any] | None]:
        """Its orders and their columns; None for the order by key."""
        return {BY_KEY: None, **self.declared("orderBy", ORDERS_KEY)}

    def held_by(self, caller: Caller) -> str | None:
        """The column by which an index must find the rows; None where the caller may page through them all."""
        if self.link is not None:
            return self.link.name
        if not caller.is_held:
            return None
        if caller.principal.is_tenant and self.table.name in PARTNER_LINKS:
            return "partner_id"
        # Under a grant one's own rows are in reach too, and of some tables no others.
        return scope_column(self.table) or ("user_id" if "user_id" in self.table.columns else None)

    def asking(self, *fields: str) -> str:
        """An operation that asks for these fields of the connection's parent."""
        asked = " ".join(f"a{number}: {self.name}{field}" for number, field in enumerate(fields))
        if self.link is None:
            return f"{{ {asked} }}"
        return f'{{ node(id: "{encode_id(self.parent.name, KEY)}") {{ ... on {self.parent.name} {{ {asked} }} }} }}'

    def filters(self) -> Iterator[tuple[str, FilterTerm, Any, Any]]:
        """Each condition of its filter: name, what it is declared as, its name and a value as a request has them."""
        input_type: Any = get_named_type(self.definition.args["filter"].type)
        for name, term in self.declared("filter", TERMS_KEY).items():
            asked = to_camel_case(name)
            kind: Any = get_named_type(input_type.fields[asked].type)
            each = list(kind.values) if isinstance(kind, GraphQLEnumType) else _VALUES.get(kind.name, ["1"])
            for value in [encode_id(term.id_of, KEY)] if term.id_of else each:
                yield name, term, asked, [value] if term.kind == "any_of" else value

    def filtered(self, asked: str, body: str) -> str:
        """An operation over the rows that meet a condition, `$value`."""
        kind: Any = get_named_type(self.definition.args["filter"].type)
        return f"query($value: {kind.fields[asked].type}) {{ {self.name}(filter: {{{asked}: $value}}) {body} }}"

    def pages(self, order: str) -> str:
        """An operation that asks for a page of each kind in an order."""
        column = self.orders()[order]
        kind = None if column is None else kind_of(column)
        cursor = encode_cursor(order, None if kind is None else _SAMPLES.get(kind, "1"), KEY)
        asked = [
            f"({window}: {MAX_PAGE}, orderBy: {{field: {order}, direction: {direction}}}"
            + (f', {edge}: "{cursor}"' if edge else "")
            + ") { nodes { id } }"
            for direction, window, edge in PAGES
        ]
        return self.asking(*asked)


def connections() -> Iterator[Listed]:
    """Every connection over one table, root or nested."""
    for parent in planner.schema.type_map.values():
        if not isinstance(parent, GraphQLObjectType):
            continue
        for name, definition in parent.fields.items():
            source = source_of(definition)
            if isinstance(source, (RootConnection, ToMany)):
                link = source.column if isinstance(source, ToMany) else None
                yield Listed(parent, name, definition, node_type(get_named_type(definition.type)), link)


async def pretend(owner: asyncpg.Connection) -> None:
    """Let every table say that it holds many rows, and every number in it that a few of them have it."""
    numbers = [
        (table.name, column.name, -1 / (OF_A_PARTNER if column.name == scope_column(table) else OF_ANOTHER))
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("_id") and not column.primary_key
    ]
    await owner.execute(
        f"UPDATE pg_class SET reltuples = {ROWS}, relpages = 1 WHERE relkind = 'r' AND reltuples < {ROWS}"
    )
    await owner.executemany(
        """
        SELECT pg_restore_attribute_stats('schemaname', 'public', 'relname', $1::text, 'attname', $2::text,
            'inherited', relkind = 'p', 'null_frac', 0::real, 'avg_width', 8, 'n_distinct', $3::real)
        FROM pg_class WHERE oid = $1::text::regclass
        """,
        numbers,
    )
    # The driver would give the statement's parameters values.
    await owner.execute("""
        CREATE FUNCTION plan_for_any(sql text) RETURNS json LANGUAGE plpgsql AS $$
        DECLARE plan json;
        BEGIN
            EXECUTE 'EXPLAIN (GENERIC_PLAN, FORMAT JSON) ' || sql INTO plan;
            RETURN plan;
        END $$
    """)


def compiled(source: str, caller: Caller, **variables: Any) -> str | None:
    """The statement of an operation; None where the caller may not ask for it."""
    operation = planner.prepare(source, None, caller.principal)
    if isinstance(operation, Answer) or operation.missing is not None:
        return None
    values = coerced(operation, variables)
    assert not isinstance(values, Answer), values
    statement = plan_of(operation, values, RunContext.of(caller.principal), logged=False).statement
    assert statement is not None
    return statement.sql


async def explained(owner: asyncpg.Connection, sql: str, caller: Caller, without: tuple[str, ...]) -> dict[str, Any]:
    """The plan of a statement for any parameters, as the caller's role makes it.

    Parameters:
        without: ways of reading that are only taken where nothing else is left.
    """
    settings = [*(f"{name} = off" for name in without), "max_parallel_workers_per_gather = 0", "jit = off"]
    async with owner.transaction():
        await owner.execute("".join(f"SET LOCAL {setting};" for setting in settings) + f"SET LOCAL ROLE {caller.role}")
        told = await owner.fetchval("SELECT plan_for_any($1)", sql)
    plan: dict[str, Any] = orjson.loads(told)[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of a plan, from the top."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def readers(plan: dict[str, Any], table: Table) -> list[dict[str, Any]]:
    """The nodes that read the table, a month of it, or the rows that say which of it are a partner's."""
    link = PARTNER_LINKS.get(table.name)
    linked = [node for node in nodes(plan) if link is not None and node.get("Relation Name") == link]
    return linked or [node for node in nodes(plan) if str(node.get("Relation Name", "")).startswith(table.name)]


def cut(plan: dict[str, Any], table: Table) -> list[dict[str, Any]]:
    """The nodes of a plan that cut a page of the table."""
    return [node for node in nodes(plan) if node["Node Type"] == "Limit" and readers(node, table)]


async def beginnings(owner: asyncpg.Connection) -> dict[str, str]:
    """By name of an index, what it begins with, and the condition on its rows."""
    rows = await owner.fetch("""
        SELECT indexrelid::regclass::text AS name,
            pg_get_indexdef(indexrelid, 1, true) || coalesce(' ' || pg_get_expr(indpred, indrelid), '') AS beginning
        FROM pg_index
    """)
    return {row["name"]: row["beginning"] for row in rows}
