"""Circuit breakers of products' endpoints: one that fails again and again is left alone, then tried once (NOT-2).

One that fails for days, or says that it is gone, is disabled: it gets nothing more until it takes a ping.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import SYSTEM
from domain.effects import DISABLED_AFTER, circuit_pause
from gateways.events.client import Answer
from models import EventCircuit
from services import audit
from services.outbox import Postponed

# While one message probes an endpoint, the others wait for what it finds.
PROBE = timedelta(seconds=30)


async def enter(session: AsyncSession, product_id: int, endpoint: str) -> bool:
    """Whether an endpoint may be called, as it is not disabled; of those who come after its pause, one may, as a probe.

    Raises:
        Postponed: it is left alone for a while.
    """
    circuit: EventCircuit | None = await session.scalar(_of(product_id, endpoint).with_for_update())
    if circuit is None:
        return True
    if circuit.disabled_at is not None:
        return False
    if circuit.open_until is None:
        return True
    now = clock.now()
    if circuit.open_until > now:
        raise Postponed(f"the endpoint has failed {circuit.failures} times in a row", circuit.open_until - now)
    circuit.open_until = now + PROBE
    return True


async def leave(session: AsyncSession, product_id: int, endpoint: str, answer: Answer) -> None:
    """Keep what came of a call: an acceptance closes the circuit, failures in a row open it, and at last disable it."""
    if answer.accepted:
        circuit: EventCircuit | None = await session.scalar(_of(product_id, endpoint).with_for_update())
        if circuit is not None and circuit.failures:
            await _tell(session, circuit, disabled=False)
            circuit.failures, circuit.open_until, circuit.last_error = 0, None, None
            circuit.failing_since = circuit.disabled_at = None
        return
    first = insert(EventCircuit).values(product_id=product_id, endpoint=endpoint, failures=0)
    await session.execute(first.on_conflict_do_nothing())
    failed = (await session.scalars(_of(product_id, endpoint).with_for_update())).one()
    failed.failures += 1
    failed.last_error = answer.told
    pause = circuit_pause(failed.failures)
    now = clock.now()
    failed.open_until = None if pause is None else now + pause
    failed.failing_since = failed.failing_since or now
    if answer.gone or now - failed.failing_since >= DISABLED_AFTER:
        await _tell(session, failed, disabled=True)
        failed.disabled_at = failed.disabled_at or now
    failed.updated_at = func.now()


async def _tell(session: AsyncSession, circuit: EventCircuit, *, disabled: bool) -> None:
    """Put on record that an endpoint is disabled, or is called on again, where that is new."""
    if (circuit.disabled_at is not None) == disabled:
        return
    verb = "disable" if disabled else "enable"
    after = {"endpoint": circuit.endpoint, "disabled": disabled, "reason": circuit.last_error}
    await audit.record(
        session, SYSTEM, f"event_circuit.{verb}", circuit, before={"disabled": not disabled}, after=after
    )


def _of(product_id: int, endpoint: str) -> Select[EventCircuit]:
    return select(EventCircuit).where(EventCircuit.product_id == product_id, EventCircuit.endpoint == endpoint)
