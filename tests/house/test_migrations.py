"""The migrations and the models tell the same story."""

from __future__ import annotations

from core.database import engine
from migrations.run import pending


async def test_the_models_need_no_further_migration(database_url: str) -> None:
    async with engine().connect() as connection:
        assert await connection.run_sync(pending) == []
