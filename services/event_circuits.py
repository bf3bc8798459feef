"""Circuit breakers of products' endpoints: one that fails again and again is left alone, then tried once (NOT-2)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from domain.effects import circuit_pause
from gateways.events.client import Answer
from models import EventCircuit
from services.outbox import Postponed

# While one message probes an endpoint, the others wait for what it finds.
PROBE = timedelta(seconds=30)


async def enter(session: AsyncSession, product_id: int, endpoint: str) -> None:
    """Make sure that an endpoint may be called; of those who come when its pause is over, one may, as a probe.

    Raises:
        Postponed: it is left alone.
    """
    circuit: EventCircuit | None = await session.scalar(_of(product_id, endpoint).with_for_update())
    if circuit is None or circuit.open_until is None:
        return
    now = clock.now()
    if circuit.open_until > now:
        raise Postponed(f"the endpoint has failed {circuit.failures} times in a row", circuit.open_until - now)
    circuit.open_until = now + PROBE


async def leave(session: AsyncSession, product_id: int, endpoint: str, answer: Answer) -> None:
    """Keep what came of a call: any acceptance closes the circuit, failures in a row open it."""
    if answer.accepted:
        circuit: EventCircuit | None = await session.scalar(_of(product_id, endpoint).with_for_update())
        if circuit is not None and circuit.failures:
            circuit.failures, circuit.open_until, circuit.last_error = 0, None, None
        return
    first = insert(EventCircuit).values(product_id=product_id, endpoint=endpoint, failures=0)
    await session.execute(first.on_conflict_do_nothing())
    failed = (await session.scalars(_of(product_id, endpoint).with_for_update())).one()
    failed.failures += 1
    failed.last_error = answer.told
    pause = circuit_pause(failed.failures)
    failed.open_until = None if pause is None else clock.now() + pause
    failed.updated_at = func.now()


def _of(product_id: int, endpoint: str) -> Select[EventCircuit]:
    return select(EventCircuit).where(EventCircuit.product_id == product_id, EventCircuit.endpoint == endpoint)
