"""Connections to PostgreSQL: write transactions through SQLAlchemy, reading pools on asyncpg itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from core import clock
from core.errors import KontoraError
from core.looks import named_grant, note_loaded
from core.principal import Principal
from core.read_pool import ReadPool, opened
from core.settings import get_settings
from core.traced_sql import watch_connection, watch_engine

APP_ROLE = "kontora_app"
TENANT_ROLE = "kontora_tenant"
GRANTEE_ROLE = "kontora_grantee"
PARTNER_SETTING = "kontora.partner_id"
GRANTEE_SETTING = "kontora.grantee_id"
GRANT_SETTING = "kontora.access_grant_id"
WRITE_LOCK_TIMEOUT_MS = 10_000
# How much of a query's trigrams some stretch of a text must have to be like it, for the operator `%>`.
WORD_LIKENESS = {"pg_trgm.word_similarity_threshold": "0.45"}
# One plan for all values, by an index: what a value is worth must not be guessed.
BY_INDEX = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "max_parallel_workers_per_gather": "0"}
# What tells that the database cannot be reached, or refuses.
DATABASE_ERRORS = (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class DatabaseNotConfigured(KontoraError):
    """No database address is known; the embedded server sets it when `kontora up` starts it."""

    code = "DATABASE_NOT_CONFIGURED"


class _Connections:
    """The engine and pools of one event loop."""

    def __init__(self) -> None:
        self.engine: AsyncEngine | None = None
        self.pools: dict[tuple[str, str, bool], ReadPool] = {}
        self.statements: ReadPool | None = None


_by_loop: dict[int, _Connections] = {}


def _connections() -> _Connections:
    return _by_loop.setdefault(id(asyncio.get_running_loop()), _Connections())


def database_url() -> str:
    """The main database's address.

    Raises:
        DatabaseNotConfigured: neither set nor started.
    """
    url = get_settings().database_url
    if url is None:
        raise DatabaseNotConfigured("set KONTORA_DATABASE_URL, or start with `kontora up`")
    return url


async def owner_connect() -> asyncpg.Connection[asyncpg.Record]:
    """A connection as the role that owns the tables: migrations and verification only."""
    return await asyncpg.connect(database_url())


def engine() -> AsyncEngine:
    """The writing engine of this event loop."""
    here = _connections()
    if here.engine is None:
        settings = get_settings()
        url = database_url()

        async def connect() -> asyncpg.Connection[asyncpg.Record]:
            connection = await opened(
                url,
                server_settings={
                    "role": APP_ROLE,
                    "lock_timeout": str(WRITE_LOCK_TIMEOUT_MS),
                    "application_name": "kontora-write",
                    **WORD_LIKENESS,
                },
            )
            watch_connection(connection)
            return connection

        here.engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=connect,
            # Errors are logged, and parameters are personal data.
            hide_parameters=True,
            pool_size=settings.database_pool_size,
            max_overflow=10,
        )
        watch_engine(here.engine)
    return here.engine


def read_pool(*, tenant: bool, grantee: bool = False, primary: bool = False, by_index: bool = False) -> ReadPool:
    """The reading pool of this event loop: autocommit, statement timeout, no reset query.

    Parameters:
        tenant: connect as the role that row-level security holds to one partner.
        grantee: connect as the role that row-level security holds to the partner of a live access grant.
        primary: the main database even where there is a replica: for what was written a moment ago, and for
            statements that write the access log.
        by_index: plan once for all values, and by indexes: for searches, and for rows by their keys.
    """
    here = _connections()
    settings = get_settings()
    url = database_url() if primary or settings.read_database_url is None else settings.read_database_url
    role = TENANT_ROLE if tenant else GRANTEE_ROLE if grantee else APP_ROLE
    pool = here.pools.get((role, url, by_index))
    if pool is None:
        pool = here.pools[role, url, by_index] = ReadPool(
            url,
            size=settings.database_pool_size,
            statement_cache_size=500,
            max_cacheable_statement_size=0,
            server_settings={
                "role": role,
                "statement_timeout": str(settings.statement_timeout_ms),
                "application_name": "kontora-read",
                "jit": "off",
                **WORD_LIKENESS,
                **(BY_INDEX if by_index else {}),
                # Reads write nothing but the access log; waiting for the disk would cost most of a small read.
                "synchronous_commit": "on" if settings.access_log_sync else "off",
            },
        )
    return pool


def statement_pool() -> ReadPool:
    """The pool of writing statements that are a whole transaction each: autocommit, answered once they are on disk."""
    here = _connections()
    settings = get_settings()
    if here.statements is None:
        here.statements = ReadPool(
            database_url(),
            size=settings.database_pool_size,
            server_settings={
                "role": APP_ROLE,
                "lock_timeout": str(WRITE_LOCK_TIMEOUT_MS),
                "application_name": "kontora-statement",
                "jit": "off",
            },
        )
    return here.statements


def read_pool_of(principal: Principal, *, primary: bool = False, by_index: bool = False) -> ReadPool:
    """The reading pool whose role is the principal's; what our staff read is logged, so not on a replica."""
    staff = principal.kind == "staff"
    return read_pool(
        tenant=principal.is_tenant, grantee=principal.needs_grant, primary=primary or staff, by_index=by_index
    )


@asynccontextmanager
async def transaction(
    principal: Principal | None = None, *, as_application: bool = False, snapshot: bool = False
) -> AsyncIterator[AsyncSession]:
    """One write transaction, committed at the end of the block and rolled back on any exception.

    Parameters:
        principal: tenants, and staff under an access grant, run under row-level security; everybody else, and
            ``None``, as the application.
        as_application: run as the application whoever asks.
        snapshot: read only, and all of it as it was at one moment.
    """
    async with AsyncSession(engine(), expire_on_commit=False) as session, session.begin():
        if snapshot:
            await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        if principal is not None:
            await _hold(session, principal, as_application=as_application)
        yield session


async def _hold(session: AsyncSession, principal: Principal, *, as_application: bool) -> None:
    if principal.kind == "staff":
        event.listen(session.sync_session, "loaded_as_persistent", note_loaded)
    if principal.needs_grant:
        # The predicates of `policies.scopes` ask these settings, whatever the role.
        who = {"user": principal.user_id, "session": principal.session_id, "named": named_grant()}
        settings = {"grantee": GRANTEE_SETTING, "grant": GRANT_SETTING}
        await session.execute(_USE_GRANT, {**who, **settings, "at": clock.now()})
    if not as_application and (principal.is_tenant or principal.needs_grant):
        await session.execute(text(f"SET LOCAL ROLE {TENANT_ROLE if principal.is_tenant else GRANTEE_ROLE}"))
    if principal.is_tenant and not as_application:
        await session.execute(
            text("SELECT set_config(:name, :value, true)"),
            {"name": PARTNER_SETTING, "value": str(principal.partner_id or "")},
        )


_USE_GRANT = text("""
    SELECT set_config(:grantee, CAST(CAST(:user AS bigint) AS text), true), set_config(:grant, coalesce((
        SELECT id::text FROM access_grant_in_use(:user, :session, :named, CAST(:at AS timestamptz))), ''), true)
""")


async def driver_connection(session: AsyncSession) -> asyncpg.Connection[asyncpg.Record]:
    """The asyncpg connection behind a session, inside its transaction."""
    raw = await (await session.connection()).get_raw_connection()
    connection: asyncpg.Connection[asyncpg.Record] = raw.driver_connection  # type: ignore[assignment]
    return connection


async def dispose() -> None:
    """Close the engine and pools of this event loop."""
    here = _by_loop.pop(id(asyncio.get_running_loop()), None)
    if here is None:
        return
    if here.engine is not None:
        await here.engine.dispose()
    for pool in (*here.pools.values(), *([here.statements] if here.statements else [])):
        await pool.close()
