"""Settings of PostgreSQL and Redis."""

from __future__ import annotations

from pydantic import Field

from core.settings.server import ServerSettings


class DatabaseSettings(ServerSettings):
    """PostgreSQL and Redis"""

    production_needs = ("database_url", "redis_url")

    database_url: str | None = Field(
        default=None,
        description="PostgreSQL 15 or newer, `postgresql://user:password@host/database`; empty: the embedded one.",
    )
    read_database_url: str | None = Field(
        default=None,
        description="A replica for partners' queries; empty: the main database. Staff reads stay there, being logged.",
    )
    redis_url: str | None = Field(default=None, description="Redis 6.2 or newer; empty: the embedded Valkey.")
    database_pool_size: int = Field(
        default=10, ge=1, description="Connections a process keeps for writing, and again for reading."
    )
    statement_timeout_ms: int = Field(
        default=5_000, ge=100, description="Longest time of one reading statement, milliseconds."
    )
