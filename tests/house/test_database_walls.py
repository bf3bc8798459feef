"""The database itself refuses what the application must never do."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy import Table

from core.database import APP_ROLE, TENANT_ROLE
from models import Base
from models.audit_functions import MONTHS_AHEAD
from models.reach import SHARED_ROWS, TENANT_SECRETS, partner_predicate
from models.security import INSERT_ONLY


async def test_each_tenant_table_is_held_by_row_level_security(owner: asyncpg.Connection) -> None:
    held = {row["relname"] for row in await owner.fetch("SELECT relname FROM pg_class WHERE relrowsecurity")}
    partners = {table.name for table in Base.metadata.sorted_tables if partner_predicate(table, "", "") is not None}
    assert held == partners | set(SHARED_ROWS)


async def test_application_cannot_change_what_is_insert_only(owner: asyncpg.Connection) -> None:
    await owner.execute(f"SET ROLE {APP_ROLE}")
    for name in sorted(INSERT_ONLY):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(f"UPDATE {name} SET created_at = created_at")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(f"DELETE FROM {name}")


async def test_even_the_owner_cannot_change_the_audit_trail(owner: asyncpg.Connection) -> None:
    await owner.execute(
        "INSERT INTO audit_events (actor, action, entity_type, entity_id) VALUES ('system', 'x', 'y', 1)"
    )
    month = await owner.fetchval("SELECT tableoid::regclass::text FROM audit_events")
    assert month != "audit_events"
    for table in ("audit_events", month):
        for statement in ("UPDATE {} SET action = 'z'", "DELETE FROM {}", "TRUNCATE {}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="insert-only"):
                await owner.execute(statement.format(table))


async def test_months_of_the_audit_trail_are_reached_through_the_whole_only(owner: asyncpg.Connection) -> None:
    months = [
        row[0]
        for row in await owner.fetch(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_events'::regclass"
        )
    ]
    assert len(months) == MONTHS_AHEAD + 1
    for role in (APP_ROLE, TENANT_ROLE):
        await owner.execute(f"SET ROLE {role}")
        for month in months:
            for statement in (
                "SELECT FROM {}",
                "INSERT INTO {} DEFAULT VALUES",
                "UPDATE {} SET id = 1",
                "DELETE FROM {}",
                "DROP TABLE {}",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await owner.execute(statement.format(month))


async def test_tenant_sees_its_rows_and_no_others(owner: asyncpg.Connection) -> None:
    first, second = [
        row["id"] for row in await owner.fetch("INSERT INTO partners (name) VALUES ('a'), ('b') RETURNING id")
    ]
    await owner.execute(f"SET ROLE {TENANT_ROLE}")
    assert await owner.fetch("SELECT id FROM partners") == []
    await owner.execute("SELECT set_config('kontora.partner_id', $1, false)", str(first))
    assert [row["id"] for row in await owner.fetch("SELECT id FROM partners")] == [first]
    assert second != first
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.execute("INSERT INTO contacts (partner_id, full_name) VALUES ($1, 'x')", second)


@pytest.mark.parametrize("table", [Base.metadata.tables[name] for name in sorted(TENANT_SECRETS)], ids=str)
async def test_tenant_cannot_read_secrets(owner: asyncpg.Connection, table: Table) -> None:
    await owner.execute(f"SET ROLE {TENANT_ROLE}")
    for column in TENANT_SECRETS[table.name]:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.fetch(f"SELECT {column} FROM {table.name}")


async def test_entries_that_do_not_sum_to_zero_are_refused(owner: asyncpg.Connection) -> None:
    partner = await owner.fetchval("INSERT INTO partners (name) VALUES ('a') RETURNING id")
    product = await owner.fetchval("INSERT INTO products (name, code, kind) VALUES ('p', 'p', 'SAAS') RETURNING id")
    install = await owner.fetchval(
        "INSERT INTO installs (partner_id, product_id) VALUES ($1, $2) RETURNING id", partner, product
    )
    wallet = await owner.fetchval(
        "INSERT INTO wallets (partner_id, install_id) VALUES ($1, $2) RETURNING id", partner, install
    )
    account = await owner.fetchval(
        "INSERT INTO ledger_accounts (kind, wallet_id, partner_id) VALUES ('WALLET', $1, $2) RETURNING id",
        wallet,
        partner,
    )
    with pytest.raises(asyncpg.CheckViolationError, match="do not sum to zero"):
        async with owner.transaction():
            movement = await owner.fetchval(
                """
                INSERT INTO wallet_transactions (partner_id, wallet_id, kind, amount, balance_after, description, actor)
                VALUES ($1, $2, 'BONUS', 5, 5, 'x', 'system') RETURNING id
                """,
                partner,
                wallet,
            )
            await owner.execute(
                "INSERT INTO ledger_entries (partner_id, transaction_id, account_id, amount) VALUES ($1, $2, $3, 5)",
                partner,
                movement,
                account,
            )
