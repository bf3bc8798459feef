"""Replaying and discarding work that failed for good."""

from __future__ import annotations

import asyncpg
import pytest

from core.database import transaction
from core.errors import Conflict, Forbidden, NotFound
from core.principal import Principal
from services import dead_letters
from services.outbox import enqueue
from workers.outbox import Outcome, process

Connection = asyncpg.Connection
DEVELOPER = Principal(
    kind="staff",
    permissions=frozenset({"dead_letter:read", "dead_letter:write", "partner:all_rows"}),
    roles=("DEVELOPER",),
)


async def bury(kind: str = "test.fails") -> tuple[int, int]:
    async with transaction() as session:
        message_id = await enqueue(session, kind, {"name": "x"})
    while await process(message_id) is not Outcome.DEAD:
        pass
    async with transaction() as session:
        letter_id = await (await session.connection()).exec_driver_sql("SELECT max(id) FROM dead_letters")
    return message_id, letter_id.scalar_one()


async def test_a_replayed_letter_runs_again_and_is_audited(effects: Connection) -> None:
    message_id, letter_id = await bury()
    await effects.execute("INSERT INTO effects (name, message_id) VALUES ('mended', 0)")
    async with transaction(DEVELOPER) as session:
        await dead_letters.replay(session, DEVELOPER, dead_letter_id=letter_id)
    assert await process(message_id) is Outcome.DONE
    assert await effects.fetchval("SELECT count(*) FROM effects WHERE message_id = $1", message_id) == 1
    event = await effects.fetchrow("SELECT action, entity_type, entity_id, before, after FROM audit_events")
    assert (event["action"], event["entity_type"], event["entity_id"]) == (
        "dead_letter.replay",
        "DeadLetter",
        letter_id,
    )
    assert '"REPLAYED"' in event["after"]


async def test_a_replay_that_fails_again_makes_a_letter_of_its_own(effects: Connection) -> None:
    message_id, letter_id = await bury()
    async with transaction(DEVELOPER) as session:
        await dead_letters.replay(session, DEVELOPER, dead_letter_id=letter_id)
    assert [await process(message_id), await process(message_id)] == [Outcome.RETRY, Outcome.DEAD]
    rows = await effects.fetch("SELECT status FROM dead_letters ORDER BY id")
    assert [row["status"] for row in rows] == ["REPLAYED", "OPEN"]


async def test_a_discarded_letter_stays_undone_and_cannot_be_replayed(effects: Connection) -> None:
    message_id, letter_id = await bury("test.hopeless")
    async with transaction(DEVELOPER) as session:
        await dead_letters.discard(session, DEVELOPER, dead_letter_id=letter_id)
    assert await process(message_id) is Outcome.NOT_DUE
    with pytest.raises(Conflict, match="DISCARDED already"):
        async with transaction(DEVELOPER) as session:
            await dead_letters.replay(session, DEVELOPER, dead_letter_id=letter_id)


async def test_without_the_permission_nothing_changes(effects: Connection) -> None:
    _, letter_id = await bury("test.hopeless")
    reader = Principal(kind="staff", permissions=frozenset({"dead_letter:read", "partner:all_rows"}))
    with pytest.raises(Forbidden, match="dead_letter:write"):
        async with transaction(reader) as session:
            await dead_letters.discard(session, reader, dead_letter_id=letter_id)
    assert await effects.fetchval("SELECT status FROM dead_letters") == "OPEN"
    assert await effects.fetchval("SELECT count(*) FROM audit_events") == 0


async def test_an_unknown_letter_is_not_found(database_url: str) -> None:
    with pytest.raises(NotFound):
        async with transaction(DEVELOPER) as session:
            await dead_letters.replay(session, DEVELOPER, dead_letter_id=12345)
