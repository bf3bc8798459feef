"""Rates that hold over all processes: counted by the database, for whoever is held to one partner too (ACC-1)."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from core.database import transaction
from core.principal import SYSTEM, Principal
from core.rates import SMALLEST_BURST_CALLS, RateLimited
from services.access.call_rates import count_call
from tests.factories.world import a_partner

Connection = asyncpg.Connection
A_MINUTE = 1


async def call(who: str, actor: Principal = SYSTEM) -> bool:
    try:
        async with transaction(actor) as session:
            await count_call(session, "letter", who, per_minute=A_MINUTE)
    except RateLimited:
        return False
    return True


async def test_calls_at_once_on_many_connections_are_counted_together(owner: Connection) -> None:
    tenant = Principal(kind="partner", partner_id=(await a_partner()).id)
    calls = [call("anna", actor) for _ in range(SMALLEST_BURST_CALLS) for actor in (SYSTEM, tenant)]
    assert sum(await asyncio.gather(*calls)) == SMALLEST_BURST_CALLS
    assert await call("boris"), "others are not disturbed"
    assert "anna" not in str([tuple(row) for row in await owner.fetch("SELECT * FROM call_rates")])
    # What was refused, or rolled back, is not counted: the next one waits for one call, not for all that were tried.
    await owner.execute("UPDATE call_rates SET used_until = used_until - make_interval(secs => $1)", 60.0 / A_MINUTE)
    assert [await call("anna"), await call("anna")] == [True, False]


async def test_who_has_nothing_used_up_is_forgotten_and_tenants_reach_no_row(owner: Connection) -> None:
    await owner.execute("INSERT INTO call_rates VALUES ('old', now() - interval '1 second')")
    assert await call("anna")
    assert await owner.fetchval("SELECT count(*) FROM call_rates WHERE subject = 'old'") == 0
    tenant = Principal(kind="partner", partner_id=(await a_partner()).id)
    with pytest.raises(Exception, match="permission denied"):
        async with transaction(tenant) as session:
            await (await session.connection()).exec_driver_sql("DELETE FROM call_rates")
