"""The read pool lends a connection for one statement, and survives what happens to connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from core.read_pool import ReadPool

SIZE = 3


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[ReadPool]:
    """A small pool on the test's database."""
    pool = ReadPool(database_url, size=SIZE, server_settings={"application_name": "read-pool-test"})
    yield pool
    await pool.close()


async def connections(owner: asyncpg.Connection) -> int:
    """How many connections of the pool PostgreSQL sees."""
    return await owner.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'read-pool-test'")


async def test_one_after_another_share_one_connection(pool: ReadPool, owner: asyncpg.Connection) -> None:
    answers = [(await pool.fetch("SELECT $1::int AS number", number))[0]["number"] for number in range(20)]
    assert answers == list(range(20))
    assert await connections(owner) == 1


async def test_never_more_connections_than_allowed_and_all_get_their_own_answer(
    pool: ReadPool, owner: asyncpg.Connection
) -> None:
    asked = [pool.fetchrow("SELECT $1::int AS number, pg_sleep(0.01)", number) for number in range(40)]
    rows = await asyncio.gather(*asked)
    assert [row and row["number"] for row in rows] == list(range(40))
    assert await connections(owner) == SIZE


async def test_an_error_leaves_the_connection_in_use(pool: ReadPool, owner: asyncpg.Connection) -> None:
    for _ in range(SIZE + 1):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await pool.fetch("SELECT 1 / 0")
    assert await pool.fetchrow("SELECT 1 AS one") is not None
    assert await connections(owner) == 1


async def test_a_cancelled_statement_never_answers_somebody_else(pool: ReadPool) -> None:
    for number in range(SIZE * 3):
        slow = asyncio.create_task(pool.fetch("SELECT -1 AS number, pg_sleep(5)"))
        await asyncio.sleep(0.02)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        row = await pool.fetchrow("SELECT $1::int AS number", number)
        assert row is not None
        assert row["number"] == number


async def test_who_gives_up_waiting_does_not_keep_a_place(pool: ReadPool) -> None:
    busy = [asyncio.create_task(pool.fetch("SELECT pg_sleep(0.2)")) for _ in range(SIZE)]
    await asyncio.sleep(0.05)
    waiting = [asyncio.create_task(pool.fetch("SELECT 1")) for _ in range(SIZE * 2)]
    await asyncio.sleep(0)
    for task in waiting[:-1]:
        task.cancel()
    assert (await asyncio.wait_for(waiting[-1], 5))[0][0] == 1
    await asyncio.gather(*busy)
    rows = await asyncio.wait_for(asyncio.gather(*[pool.fetch("SELECT 1") for _ in range(SIZE * 2)]), 5)
    assert len(rows) == SIZE * 2


async def test_connections_that_the_server_closed_are_replaced(pool: ReadPool, owner: asyncpg.Connection) -> None:
    await asyncio.gather(*[pool.fetch("SELECT pg_sleep(0.05)") for _ in range(SIZE)])
    await owner.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'read-pool-test'"
    )
    await asyncio.sleep(0.1)
    rows = await asyncio.gather(*[pool.fetch("SELECT 1") for _ in range(SIZE * 2)])
    assert len(rows) == SIZE * 2


async def test_a_server_that_cannot_be_reached_is_told_to_all_who_wait(database_url: str) -> None:
    pool = ReadPool(database_url.replace("kontora_test_", "kontora_no_such_"), size=1)
    answers = await asyncio.gather(*[pool.fetch("SELECT 1") for _ in range(5)], return_exceptions=True)
    assert [type(answer) for answer in answers] == [asyncpg.InvalidCatalogNameError] * 5
