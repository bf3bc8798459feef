"""Rows for any table, made from its definition: keys and moments rise, most rows are alike, and a few are not."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy import Column, Table
from sqlalchemy.dialects.postgresql import JSONB

from models.base import SEARCH_TEXT, StrEnumColumn

# The partner who has a tenth of all rows.
LARGE = 777
# One row in so many is otherwise than most.
RARE = 500
# What most rows are in, by the name of the member.
_COMMON = ("DONE", "SENT", "APPLIED", "DELIVERED", "PAID", "CONFIRMED", "USAGE", "RENEWAL", "ACTIVE", "ACTIVATED")
# Texts of which there are few.
_FEW = frozenset(
    {"action", "code", "entity_type", "gateway", "job", "kind", "mutation", "name", "segment", "template", "type"}
)
# A partner has one install of a product.
_SPECIAL: Mapping[str, str] = MappingProxyType(
    {
        "installs.partner_id": "1 + n % {partners}",
        "installs.product_id": "1 + n / {partners} % {products}",
        "modules.code": "'code' || n",
        "products.code": "'code' || n",
        "partners.name": "'Partner ' || n",
        "roles.name": "'Role ' || n",
        "audit_events.created_at": "now() - ({rows} - n) * interval '20 days' / {rows}",
    }
)


async def fill(connection: asyncpg.Connection[Any], table: Table, sizes: Mapping[str, int]) -> None:
    """Fill a table; its checks are dropped and references not looked at, for the rows are only read.

    Parameters:
        sizes: rows of each table, by name.
    """
    columns = [one for one in table.columns if one.computed is None and one.name != SEARCH_TEXT]
    values = ", ".join(_value(table, column, sizes) for column in columns)
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        checks = (
            "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conparentid = 0 "
            "AND conrelid = $1::text::regclass"
        )
        for check in await connection.fetch(checks, table.name):
            await connection.execute(f"ALTER TABLE {table.name} DROP CONSTRAINT {check['conname']}")
        # Built at once over all rows, an index takes a fraction of the time.
        plain = await connection.fetch(
            "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made FROM pg_index "
            "WHERE indrelid = $1::text::regclass AND NOT indisunique",
            table.name,
        )
        for index in plain:
            await connection.execute(f"DROP INDEX {index['name']}")
        await connection.execute(
            f"INSERT INTO {table.name} ({', '.join(column.name for column in columns)}) OVERRIDING SYSTEM VALUE "
            f"SELECT {values} FROM generate_series(1, {sizes[table.name]}::bigint) AS n ON CONFLICT DO NOTHING",
            timeout=1_200,
        )
        for index in plain:
            await connection.execute(index["made"].replace(" ON ONLY ", " ON "), timeout=1_200)
        # The log of looks goes on behind them.
        await connection.execute(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {sizes[table.name]})")


def _value(table: Table, column: Column[Any], sizes: Mapping[str, int]) -> str:
    rows = sizes[table.name]
    special = _SPECIAL.get(f"{table.name}.{column.name}")
    if special is not None:
        return special.format(rows=rows, **sizes)
    if column.primary_key and column.name == "id":
        return "n"
    alone = column.unique or any(
        [one.name for one in constraint.columns] == [column.name]
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    )
    to = next((key.column.table.name for key in column.foreign_keys), None)
    if to is not None:
        if alone:
            return "n"
        spread = f"1 + n * 7919 % {sizes.get(to, 1)}"
        return f"CASE WHEN n % 10 = 0 THEN {LARGE} ELSE {spread} END" if to == "partners" else spread
    return _plain(column, rows, alone=alone)


def _plain(column: Column[Any], rows: int, *, alone: bool) -> str:
    type_ = column.type
    if isinstance(type_, StrEnumColumn):
        members = [member.value for member in type_.enum]
        common = next((name for name in _COMMON if name in members), members[0])
        listed = ", ".join(f"'{name}'" for name in members)
        return f"CASE WHEN n % {RARE} = 0 THEN (ARRAY[{listed}])[1 + n / {RARE} % {len(members)}] ELSE '{common}' END"
    if isinstance(type_, JSONB):
        return "'{}'"
    if isinstance(type_, sa.ARRAY):
        return "'{}'"
    if isinstance(type_, sa.LargeBinary):
        return "n::text::bytea"
    if isinstance(type_, sa.Uuid):
        return "gen_random_uuid()"
    if isinstance(type_, sa.Boolean):
        return f"n % {RARE} = 0"
    if isinstance(type_, sa.DateTime):
        return f"now() - ({rows} - n) * interval '700 days' / {rows}"
    if isinstance(type_, sa.Date):
        return "current_date - (n % 700)::int"
    if isinstance(type_, sa.String):
        if type_.length is not None and type_.length < 8:
            return f"left('RUB', {type_.length})"
        few = not alone and column.name in _FEW
        return f"'{column.name}' || n % 40" if few else "'x' || n"
    return "n" if isinstance(type_, sa.BigInteger) else "n % 100"
