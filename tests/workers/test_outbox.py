"""Running one message: once, in order, again after a failure, buried at the end."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from core.database import transaction
from services.outbox import enqueue
from tests.workers import effect_handlers
from workers import outbox
from workers.outbox import Outcome, process

Connection = asyncpg.Connection


async def put(kind: str, name: str = "", **options: Any) -> int:
    async with transaction() as session:
        return await enqueue(session, kind, {"name": name}, **options)


async def make_due(owner: Connection) -> None:
    await owner.execute("UPDATE outbox_messages SET available_at = now(), locked_until = NULL")


async def test_an_effect_happens_once_however_often_it_is_sent(effects: Connection) -> None:
    message_id = await put("test.effect")
    outcomes = await asyncio.gather(*(process(message_id) for _ in range(8)))
    assert outcomes.count(Outcome.DONE) == 1
    assert set(outcomes) == {Outcome.DONE, Outcome.NOT_DUE}
    assert await effects.fetchval("SELECT count(*) FROM effects") == 1
    row = await effects.fetchrow("SELECT status, attempts, done_at, locked_until FROM outbox_messages")
    assert (row["status"], row["attempts"], row["locked_until"]) == ("DONE", 1, None)
    assert row["done_at"] is not None


async def test_nothing_is_written_when_the_business_transaction_rolls_back(effects: Connection) -> None:
    with pytest.raises(ZeroDivisionError):
        async with transaction() as session:
            await enqueue(session, "test.effect", {})
            raise ZeroDivisionError
    assert await effects.fetchval("SELECT count(*) FROM outbox_messages") == 0


async def test_a_delayed_message_is_not_due(effects: Connection) -> None:
    from datetime import timedelta

    message_id = await put("test.effect", delay=timedelta(minutes=1))
    assert await process(message_id) is Outcome.NOT_DUE
    await make_due(effects)
    assert await process(message_id) is Outcome.DONE


async def test_a_failure_leaves_no_effect_and_is_tried_again(effects: Connection) -> None:
    message_id = await put("test.fails", "x")
    assert await process(message_id) is Outcome.RETRY
    assert await effects.fetchval("SELECT count(*) FROM effects") == 0
    await effects.execute("INSERT INTO effects (name, message_id) VALUES ('mended', 0)")
    assert await process(message_id) is Outcome.DONE
    assert await effects.fetchval("SELECT count(*) FROM effects WHERE name = 'x'") == 1


async def test_the_last_failure_makes_a_dead_letter(effects: Connection) -> None:
    message_id = await put("test.fails")
    assert [await process(message_id) for _ in range(3)] == [Outcome.RETRY, Outcome.DEAD, Outcome.NOT_DUE]
    letter = await effects.fetchrow("SELECT * FROM dead_letters")
    assert (letter["outbox_message_id"], letter["kind"], letter["attempts"]) == (message_id, "test.fails", 2)
    assert (letter["error"], letter["status"]) == ("RuntimeError: not yet", "OPEN")
    assert await effects.fetchval("SELECT status FROM outbox_messages") == "DEAD"


async def test_a_hopeless_message_is_buried_at_once(effects: Connection) -> None:
    message_id = await put("test.hopeless")
    assert await process(message_id) is Outcome.DEAD
    assert await effects.fetchval("SELECT error FROM dead_letters") == "PermanentFailure: never"


async def test_a_message_that_kills_its_worker_runs_out_of_attempts(effects: Connection) -> None:
    message_id = await put("test.fails")
    await effects.execute("UPDATE outbox_messages SET attempts = 2, locked_until = now() - interval '1 second'")
    assert await process(message_id) is Outcome.DEAD
    assert "died" in await effects.fetchval("SELECT error FROM dead_letters")


async def test_messages_of_a_key_run_in_order_and_a_dead_one_lets_the_next_pass(effects: Connection) -> None:
    first = await put("test.fails", "first", ordering_key="k")
    second = await put("test.effect", "second", ordering_key="k")
    other = await put("test.effect", "other", ordering_key="other")
    assert await process(second) is Outcome.NOT_DUE
    assert await process(other) is Outcome.DONE
    assert await process(first) is Outcome.RETRY
    assert await process(second) is Outcome.NOT_DUE
    assert await process(first) is Outcome.DEAD
    assert await process(second) is Outcome.DONE


async def test_ids_of_a_key_are_committed_in_their_own_order(effects: Connection) -> None:
    async def write_second() -> int:
        return await put("test.effect", ordering_key="k")

    async with transaction() as session:
        first = await enqueue(session, "test.effect", {}, ordering_key="k")
        waiting = asyncio.create_task(write_second())
        await asyncio.sleep(0.2)
        assert not waiting.done()
    assert await waiting > first


async def test_a_worker_whose_claim_was_taken_over_changes_nothing(effects: Connection) -> None:
    message_id = await put("test.slow")
    running = asyncio.create_task(process(message_id))
    await asyncio.sleep(0.3)
    await effects.execute("UPDATE outbox_messages SET locked_until = now() - interval '1 second'")
    assert await process(message_id) is Outcome.DONE
    assert await running is Outcome.LOST
    assert await effects.fetchval("SELECT count(*) FROM effects") == 1


async def test_a_stepwise_message_is_done_after_its_work(effects: Connection) -> None:
    assert await process(await put("test.stepwise")) is Outcome.DONE
    assert await effects.fetchval("SELECT count(*) FROM effects") == 1


async def test_an_unknown_kind_stays_for_a_process_that_knows_it(effects: Connection) -> None:
    assert await process(await put("test.of_tomorrow")) is Outcome.NOT_DUE
    assert await effects.fetchval("SELECT attempts FROM outbox_messages") == 0


def test_a_kind_has_one_handler() -> None:
    with pytest.raises(ValueError, match=r"test\.effect has a handler already"):
        outbox.outbox_handler("test.effect")(effect_handlers.effect)
