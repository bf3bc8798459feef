"""Brings a database up to date: tables by Alembic, then grants, policies and triggers, then the permission table."""

from __future__ import annotations

import re
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from core.errors import KontoraError
from models.security import statements
from policies.sync import sync_permissions

MIGRATION_LOCK = 7_263_400_001
OLDEST_SERVER = 15
MONTH = re.compile(r"audit_events_\d{4}_\d{2}")


class ServerTooOld(KontoraError):
    """The tables and statements are written for newer servers."""

    code = "SERVER_TOO_OLD"


async def upgrade(url: str) -> None:
    """Migrate the database at ``url``; safe to call from several processes at once.

    Parameters:
        url: address as a role that owns the tables and may create roles.

    Raises:
        ServerTooOld: PostgreSQL is older than what is supported.
    """
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url), poolclass=NullPool
    )
    try:
        async with engine.connect() as connection:
            version = (await connection.execute(text("SHOW server_version_num"))).scalar_one()
            if int(version) < OLDEST_SERVER * 10_000:
                raise ServerTooOld(f"PostgreSQL {OLDEST_SERVER} or newer is needed; this is {int(version) // 10_000}")
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            await connection.commit()
            await connection.run_sync(_alembic_upgrade)
            await connection.commit()
            for statement in statements():
                await connection.exec_driver_sql(statement)
            raw = await connection.get_raw_connection()
            await sync_permissions(raw.driver_connection)
            await connection.commit()
    finally:
        await engine.dispose()


def revise(connection: Connection, message: str) -> None:
    """Write the migration between the database and the models; for `kontora migrate --revise`."""
    command.revision(_config(connection), message=message, autogenerate=True)


def pending(connection: Connection) -> list[str]:
    """Differences between the migrated database and the models; none in a well-kept repository."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from models import Base

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": not_a_month})
    return [str(difference) for difference in compare_metadata(context, Base.metadata)]


def not_a_month(name: str | None, kind: str, _parents: object) -> bool:
    """Whether Alembic is to look at it: months of the audit trail come and go on their own."""
    return kind != "table" or not MONTH.fullmatch(name or "")


def _alembic_upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
