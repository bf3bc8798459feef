"""A row in every table, made from the tables' own definitions, with a mark in every text that it holds."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import asyncpg
import orjson
import sqlalchemy as sa
from sqlalchemy import Column, Table
from sqlalchemy.dialects.postgresql import JSONB

from models import Base
from models.base import StrEnumColumn

KEY = 9_001
NAME, EMAIL, PHONE, INN = "Маркова", "marker@person.test", "+7 901 234-56-78", "500100732259"
# Each is what a person can be known by; no answer to one who may not read personal data holds any of them.
MARKS = (NAME, EMAIL, r"\+7 901 234-56-78", INN)
_MARKED = f"«{NAME}» <{EMAIL}> {PHONE} {INN}"


async def fill(owner: asyncpg.Connection, *, plain: Collection[str] = ()) -> None:
    """Put a row with the key `KEY` into every table; checks and foreign keys are put aside, for only reading matters.

    Parameters:
        plain: columns such as ``products.name`` that hold an ordinary text instead.
    """
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        for table in Base.metadata.sorted_tables:
            await drop_checks(owner, table.name)
            await _fill(owner, table, plain)


async def drop_checks(owner: asyncpg.Connection, table: str) -> None:
    """Let a table hold rows that the product would not write."""
    sql = "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = $1::text::regclass AND conparentid = 0"
    for check in await owner.fetch(sql, table):
        await owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT {check['conname']}")


async def _fill(owner: asyncpg.Connection, table: Table, plain: Collection[str]) -> None:
    columns = [column for column in table.columns if column.computed is None]
    names = ", ".join(column.name for column in columns)
    values = ", ".join(
        literal_of(column, "plain" if f"{table.name}.{column.name}" in plain else _MARKED) for column in columns
    )
    await owner.execute(
        f"INSERT INTO {table.name} ({names}) OVERRIDING SYSTEM VALUE VALUES ({values}) ON CONFLICT DO NOTHING"
    )


def literal_of(column: Column[Any], told: str) -> str:
    """An SQL literal that fits the column, with ``told`` where it holds a text, and `KEY` where it holds a number."""
    type_ = column.type
    text = f"'{told}'"
    if isinstance(type_, StrEnumColumn):
        return f"'{next(iter(type_.enum)).value}'"
    if isinstance(type_, JSONB):
        return "'" + orjson.dumps({"told": told, "deeper": [{"told": told}]}).decode() + "'"
    if isinstance(type_, sa.ARRAY):
        return f"ARRAY[{text}]" if isinstance(type_.item_type, sa.String) else f"ARRAY[{KEY}]"
    if isinstance(type_, sa.LargeBinary):
        return f"convert_to({text}, 'UTF8')"
    if isinstance(type_, sa.String):
        # Too short for a mark; what fits in is a code and nobody's name.
        return text if type_.length is None or type_.length >= len(told) else f"'{'X' * type_.length}'"
    if isinstance(type_, sa.DateTime):
        return "now()"
    if isinstance(type_, sa.Date):
        return "current_date"
    if isinstance(type_, sa.Boolean):
        return "true"
    if isinstance(type_, sa.Uuid):
        return "gen_random_uuid()"
    return str(KEY) if isinstance(type_, sa.BigInteger) else "1"


async def a_row(owner: asyncpg.Connection, table: Table, partner_id: int) -> None:
    """Put a row of a partner into a table; what it points to has the key of the partner."""
    columns = [column for column in table.columns if column.computed is None and column.name != "id"]
    # Users, for who is not in the partner's reach would take the whole row out of it.
    user = f"(SELECT min(id) FROM users WHERE partner_id = {partner_id})"
    given = {column.name: literal_of(column, f"{table.name} {partner_id}") for column in columns}
    for column in columns:
        for key in column.foreign_keys:
            given[column.name] = user if key.column.table.name == "users" else str(partner_id)
    if "partner_id" in given:
        given["partner_id"] = str(partner_id)
    async with owner.transaction():
        await drop_checks(owner, table.name)
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute(f"INSERT INTO {table.name} ({', '.join(given)}) VALUES ({', '.join(given.values())})")
