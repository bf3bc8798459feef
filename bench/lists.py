"""Every list of the schema over millions of rows: default pages, orders and filters, against a page by key.

`KONTORA_BENCH_ROWS` says how many rows the large tables have (1000000). The pages come from the schema.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
from graphql import GraphQLEnumType, GraphQLField, get_named_type
from sqlalchemy import Table
from strawberry.utils.str_converters import to_camel_case

from bench.inside import STAFF, percentiles, timed
from bench.rows import LARGE, fill
from core.database import dispose
from core.ids import encode_id
from core.principal import ALL_ROWS, Principal
from migrations.run import upgrade
from models import Base
from planner.binding import ORDERS_KEY, TERMS_KEY
from planner.scope import table_of
from planner.selection import DEFINITION, source_of
from planner.sources import FilterTerm, RootConnection
from policies.permissions import ALL
from policies.scopes import reachable_by_tenants
from resolvers.root import planner

ROUNDS, WARMING, WORST = 15, 3, 20
PARTNERS, OTHERS, CATALOG = 100_000, 20_000, 50
HUGE = (
    *("audit_events", "event_deliveries", "invoices", "ledger_entries", "mails", "outbox_messages"),
    *("payment_state_changes", "payments", "product_events", "wallet_transactions"),
)
BIG = ("idempotency_records", "installs", "sessions", "subscriptions", "wallet_lots", "wallets")
SMALL = (
    *("coin_packages", "currency_rates", "event_circuits", "event_pings", "legal_entities", "modules"),
    *("onboarding_steps", "permissions", "plan_modules", "plan_prices", "plans", "products", "reconciliations"),
    "roles",
)
BY_KEY = "{ partners(first: 20) { nodes { id } pageInfo { hasNextPage endCursor } } }"
PAGE = "{ nodes { id } pageInfo { hasNextPage endCursor } }"
TENANT = Principal(kind="partner", permissions=ALL - {ALL_ROWS}, user_id=1, partner_id=LARGE)


@dataclass(frozen=True)
class Asked:
    """One page to measure."""

    name: str
    source: str
    value: Any = None
    caller: Principal = STAFF


def run(url: str) -> str:
    """Fill the database and measure; gives the section of the results."""
    return asyncio.run(_run(url))


async def _run(url: str) -> str:
    rows = int(os.environ.get("KONTORA_BENCH_ROWS", "1000000"))
    await upgrade(url)
    owner = await asyncpg.connect(url)
    await owner.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
    sizes = {table.name: OTHERS for table in Base.metadata.sorted_tables}
    sizes |= dict.fromkeys(SMALL, CATALOG) | dict.fromkeys(HUGE, rows) | dict.fromkeys(BIG, rows // 3)
    sizes["partners"] = PARTNERS
    began = time.monotonic()
    for table in sorted({table for _, _, table in _lists()}, key=lambda table: table.name):
        if not await owner.fetchval(f"SELECT EXISTS (SELECT FROM {table.name} OFFSET {CATALOG - 1})"):
            await fill(owner, table, sizes)
    await owner.execute("VACUUM ANALYZE", timeout=1_200)
    print(f"filled in {time.monotonic() - began:.0f} s", flush=True)
    total = sum([await owner.fetchval(f"SELECT count(*) FROM {table.name}") for _, _, table in _lists()])
    asked = [one for name, definition, table in _lists() async for one in _pages(owner, name, definition, table)]
    await owner.close()
    found = []
    for one in asked:
        given = {} if one.value is None else {"value": one.value}
        for _ in range(WARMING):
            await timed(one.source, one.caller, **given)
        pairs = [(await timed(BY_KEY), await timed(one.source, one.caller, **given)) for _ in range(ROUNDS)]
        p50, p95 = percentiles([told for _, told in pairs])
        found.append((p50, p95, p50 / statistics.median(page for page, _ in pairs), one.name))
    await dispose()
    return _told(sorted(found, reverse=True), total)


def _lists() -> Iterator[tuple[str, GraphQLField, Table]]:
    """Every root list: its name, what it is declared as, and its table."""
    assert planner.schema.query_type is not None
    for name, definition in planner.schema.query_type.fields.items():
        # The access log has a bench of its own.
        if isinstance(source_of(definition), RootConnection) and name != "accessLogEntries":
            connection: Any = get_named_type(definition.type)
            yield name, definition, table_of(get_named_type(connection.fields["nodes"].type))


async def _pages(
    owner: asyncpg.Connection[Any], name: str, definition: GraphQLField, table: Table
) -> AsyncIterator[Asked]:
    """The pages of a list: as it comes, from each end of each order, for a partner, and with each condition alone."""
    yield Asked(name, f"{{ {name}(first: 20) {PAGE} }}")
    if reachable_by_tenants(table):
        yield Asked(f"{name}, a partner with a tenth", f"{{ {name}(first: 20) {PAGE} }}", caller=TENANT)
    for order in _declared(definition, "orderBy", ORDERS_KEY):
        for end in ("first", "last"):
            source = f"{{ {name}({end}: 20, orderBy: {{field: {order}, direction: DESC}}) {PAGE} }}"
            yield Asked(f"{name} by {order}, the {end}", source)
    # A row in the middle has values that others may have too.
    row = await owner.fetchrow(
        f"SELECT * FROM {table.name} ORDER BY id OFFSET (SELECT count(*) / 2 FROM {table.name}) LIMIT 1"
    )
    input_type: Any = get_named_type(definition.args["filter"].type)
    for term_name, term in _declared(definition, "filter", TERMS_KEY).items():
        asked = to_camel_case(term_name)
        kind = input_type.fields[asked].type
        source = f"query($value: {kind}) {{ {name}(first: 20, filter: {{{asked}: $value}}) {PAGE} }}"
        for value in _values(get_named_type(kind), term, row):
            given = encode_id(term.id_of, value) if term.id_of is not None else value
            yield Asked(f"{name} of {asked} {value}"[:70], source, [given] if term.kind == "any_of" else given)


def _declared(definition: GraphQLField, argument: str, key: str) -> dict[str, Any]:
    input_type: Any = get_named_type(definition.args[argument].type)
    found: dict[str, Any] = getattr(input_type.extensions[DEFINITION].origin, key)
    return found


def _values(kind: Any, term: FilterTerm, row: Any) -> list[Any]:
    """Every member of what has members, else the value of a row; for a partner, the large one too."""
    if term.id_of is not None:
        key = row.get(term.column.name, 1)
        return [key, LARGE] if term.id_of == "Partner" else [key]
    if isinstance(kind, GraphQLEnumType):
        return list(kind.values)
    if kind.name in ("Boolean", "Int"):
        return [True, False] if kind.name == "Boolean" else [30]
    value = row.get(term.column.name)
    if value is None:
        return []
    return [value.isoformat() if isinstance(value, datetime) else str(value)]


def _told(found: list[tuple[float, float, float, str]], total: int) -> str:
    within = {times: sum(ratio <= times for _, _, ratio, _ in found) for times in (2, 5, 20)}
    lines = [
        f"{total:,} rows in {len({*_tables()})} tables, a tenth of those of partners one partner's; {len(found)} pages "
        "of 20 rows through the whole planner, without HTTP.",
        "",
        f"Against a page of partners by key, measured in turn: {within[2]} take up to twice as long, {within[5]} up "
        f"to 5 times, {within[20]} up to 20 times, {len(found) - within[20]} longer. The slowest:",
        "",
        "| page of 20 | p50 | p95 | times a page by key |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {name} | {p50:.2f} ms | {p95:.2f} ms | {ratio:.1f} |" for p50, p95, ratio, name in found[:WORST]]
    return "\n".join(lines)


def _tables() -> Iterator[str]:
    return (table.name for _, _, table in _lists())
