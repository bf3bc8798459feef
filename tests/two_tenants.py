"""Rows of two partners in every table, made from the tables' own definitions, also such as point across the wall.

Every row has the same number in all tables, so that numbers in answers tell whose row they come from. A new table is
filled without being named.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import asyncpg
from sqlalchemy import Column, Table

from models import Base
from models.reach import PARTNER_LISTS, SHARED_WITH_TENANTS, scope_column
from tests.marked import KEY, drop_checks, literal_of

OWN, OTHER = 9_001, 9_002
OWN_ASTRAY, OTHER_ASTRAY = 9_003, 9_004
SHARED = 8_001
ABSENT = 7_777_777
MARK = "Zaslonov"
# Number of the row, its partner, and the rows that it points to: two as they should be, two that point across.
ROWS = (
    (OWN, OWN, OWN),
    (OTHER, OTHER, OTHER),
    (OWN_ASTRAY, OWN, OTHER),
    (OTHER_ASTRAY, OTHER, OWN),
)
# Those who ask for access to a partner's rows are ours, and the partner may know their number.
_NEVER_ASTRAY = frozenset({"access_grants.requested_by_user_id"})
# What more a row must be for its partner to see it.
_SEEN = """
    UPDATE partner_documents SET visible_to_partner = true, status = 'AVAILABLE';
    UPDATE roles SET kind = 'PARTNER';
"""


async def fill(owner: asyncpg.Connection, *, of: Container[int] = (OWN, OTHER)) -> None:
    """Put the rows of these partners into every table; constraints are put aside, for only reading matters."""
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        for table in Base.metadata.sorted_tables:
            await drop_checks(owner, table.name)
            if table.name in SHARED_WITH_TENANTS:
                await _put(owner, table, SHARED, SHARED, SHARED, "shared")
            held = (row for row in ROWS if row[1] in of and table.name not in SHARED_WITH_TENANTS)
            for key, partner, linked in held:
                own = partner == OWN and (scope_column(table) is not None or "partner_ids" in table.columns)
                await _put(owner, table, key, partner, linked, f"own {key}" if own else f"{MARK} {key}")
        await owner.execute(_SEEN)
    for table in Base.metadata.sorted_tables:
        column = scope_column(table)
        if column is not None:
            found = {row[0] for row in await owner.fetch(f"SELECT DISTINCT {column} FROM {table.name}")}
            assert {OWN, OTHER} <= found, f"{table.name} has nothing to hide"


async def take_other(owner: asyncpg.Connection) -> None:
    """Leave the own partner alone in the database; `fill` brings the other's rows back."""
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        for table in Base.metadata.sorted_tables:
            column = scope_column(table)
            listed = PARTNER_LISTS.get(table.name)
            if column is not None:
                await owner.execute(f"DELETE FROM {table.name} WHERE {column} <> {OWN}")
            elif listed is not None:
                await owner.execute(f"DELETE FROM {table.name} WHERE NOT {listed} @> ARRAY[{OWN}::bigint]")


async def digests(owner: asyncpg.Connection) -> dict[str, str]:
    """A digest of all rows of every table that are not the own partner's."""
    found = {}
    for table in Base.metadata.sorted_tables:
        column = scope_column(table)
        if column is not None:
            found[table.name] = await owner.fetchval(
                f"SELECT md5(string_agg(t::text, ';' ORDER BY t::text)) FROM {table.name} t WHERE {column} <> $1", OWN
            )
    return found


async def _put(owner: asyncpg.Connection, table: Table, key: int, partner: int, linked: int, told: str) -> None:
    columns = [column for column in table.columns if column.computed is None]
    values = ", ".join(_value(table, column, key, partner, linked, told) for column in columns)
    await owner.execute(
        f"INSERT INTO {table.name} ({', '.join(column.name for column in columns)}) OVERRIDING SYSTEM VALUE "
        f"VALUES ({values}) ON CONFLICT DO NOTHING"
    )


def _value(table: Table, column: Column[Any], key: int, partner: int, linked: int, told: str) -> str:
    if column.name == "id" or f"{table.name}.{column.name}" == "access_log_partners.entry_id":
        return str(key)
    if column.name == scope_column(table):
        return str(partner)
    if any(foreign.column.table.name in SHARED_WITH_TENANTS for foreign in column.foreign_keys):
        return _literal(column, told, SHARED)
    # Only what the database knows as a reference points across; other numbers are the row's own.
    points = column.foreign_keys and f"{table.name}.{column.name}" not in _NEVER_ASTRAY
    return _literal(column, told, linked if points else partner)


def _literal(column: Column[Any], told: str, key: int) -> str:
    return literal_of(column, told).replace(str(KEY), str(key))
