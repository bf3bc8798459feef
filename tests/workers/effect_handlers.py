"""Handlers whose effects can be counted, and the processes that run them; also a script: `effect_handlers.py ROLE`."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

import workers.handlers
from core.database import transaction
from services.outbox import PermanentFailure
from workers.outbox import Message, outbox_handler, stepwise_handler

TABLE = "CREATE TABLE effects (id bigserial PRIMARY KEY, name text NOT NULL, message_id bigint NOT NULL)"
GRANT = "GRANT ALL ON effects TO kontora_app; GRANT ALL ON effects_id_seq TO kontora_app"
SHORT_LEASE = timedelta(seconds=6)
SLOW_SECONDS = 2.5


async def leave_effect(session: AsyncSession, message: Message) -> None:
    """Write one row."""
    await session.execute(
        text("INSERT INTO effects (name, message_id) VALUES (:name, :id)"),
        {"name": message.payload.get("name", ""), "id": message.id},
    )


@outbox_handler("test.effect")
async def effect(session: AsyncSession, message: Message) -> None:
    """One row, once."""
    await leave_effect(session, message)


@outbox_handler("test.slow", lease=SHORT_LEASE)
async def slow(session: AsyncSession, message: Message) -> None:
    """Leave a row, then take longer than a killer needs, in the first attempt."""
    await leave_effect(session, message)
    if message.attempt == 1:
        await asyncio.sleep(SLOW_SECONDS)


@outbox_handler("test.fails", max_attempts=2, delays=(timedelta(0),))
async def fails(session: AsyncSession, message: Message) -> None:
    """Leave a row that the failure takes back, unless the payload says that it works by now."""
    await leave_effect(session, message)
    works = await session.scalar(text("SELECT count(*) FROM effects WHERE name = 'mended'"))
    if not works:
        raise RuntimeError("not yet")


@outbox_handler("test.hopeless")
async def hopeless(_session: AsyncSession, _message: Message) -> None:
    """Fail for good at once."""
    raise PermanentFailure("never")


@stepwise_handler("test.stepwise")
async def stepwise(message: Message) -> None:
    """An effect in a transaction of its own."""
    async with transaction() as session:
        await leave_effect(session, message)


def main() -> None:
    """Run as the worker or the scheduler of the product."""
    workers.handlers.HANDLER_MODULES = ()
    if sys.argv[1] == "worker":
        from workers.run import main as run
    else:
        from workers.schedule import main as run
    run()


if __name__ == "__main__":
    main()
