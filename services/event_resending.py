"""What people and products do about events: send them again, read what was missed, try an endpoint (NOT-2)."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.database import transaction
from core.errors import Conflict, NotFound
from core.principal import Principal
from domain import fields
from domain.effects import EndpointPurpose, EventStatus
from gateways.events.client import deliver as call
from models import EventPing, Product, ProductEvent
from policies.scopes import require
from services import audit, event_circuits
from services.events import DELIVER, secrets_of
from services.loading import load
from services.outbox import enqueue

WRITE = "event:write"
MOST_AT_ONCE = 1_000
MOST_READ = 500


async def redeliver(session: AsyncSession, actor: Principal, *, event_id: int) -> ProductEvent:
    """Send an event again, whatever became of it; after those of its install that wait.

    Raises:
        NotFound: there is no such event.
        Conflict: it waits to be delivered anyway.
    """
    require(actor, WRITE, "Mutation.productEventRedeliver")
    event = await load(session, actor, ProductEvent, event_id, lock=True)
    if event.status == EventStatus.PENDING:
        raise Conflict("the event waits to be delivered", field=fields.path("id"))
    before = {"status": event.status}
    await _again(session, event)
    await audit.record(session, actor, "product_event.redeliver", event, before=before, after={"status": event.status})
    return event


async def redeliver_failed(session: AsyncSession, actor: Principal, *, product_id: int, since: datetime) -> int:
    """Send all failed events of a product again, in their order, 1,000 at a time; gives how many.

    Raises:
        NotFound: there is no such product.
    """
    require(actor, WRITE, "Mutation.productEventsRedeliverFailed")
    product = await load(session, actor, Product, product_id, field="productId")
    failed = (
        select(ProductEvent)
        .where(
            ProductEvent.product_id == product.id,
            ProductEvent.status == EventStatus.FAILED,
            ProductEvent.created_at >= since,
        )
        .order_by(ProductEvent.id)
        .limit(MOST_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    events = list(await session.scalars(failed))
    for event in events:
        await _again(session, event)
    told = {"since": since, "events": len(events)}
    await audit.record(session, actor, "product.redeliver_failed", product, before=None, after=told)
    return len(events)


async def ask_ping(session: AsyncSession, actor: Principal, *, product_id: int, purpose: EndpointPurpose) -> EventPing:
    """Write that an endpoint is to be tried; :func:`ping` does it after the commit.

    Raises:
        NotFound: there is no such product.
        Conflict: the product has no such endpoint, or no signing secret.
    """
    require(actor, WRITE, "Mutation.productPing")
    product = await load(session, actor, Product, product_id, field="productId")
    endpoint: str | None = getattr(product, purpose.column)
    if endpoint is None or product.event_secret_encrypted is None:
        raise Conflict("the product has no such endpoint, or no signing secret", field=fields.path("endpoint"))
    asked = EventPing(product_id=product.id, purpose=purpose, endpoint=endpoint, asked_by_user_id=actor.user_id)
    session.add(asked)
    await audit.record(session, actor, "product.ping", asked, before=None, after={"purpose": purpose})
    return asked


async def ping(ping_id: int) -> None:
    """Call an endpoint with a signed `ping`, outside of any transaction, and keep its answer; a good one enables it."""
    async with transaction() as session:
        asked = await session.get_one(EventPing, ping_id)
        product = await session.get_one(Product, asked.product_id)
        endpoint, signing = asked.endpoint, secrets_of(product)
    event_id = f"evt_{secrets.token_hex(16)}"
    body = orjson.dumps({"id": event_id, "type": "ping", "timestamp": clock.now().isoformat(), "data": {}}).decode()
    answer = await call(endpoint, secrets=signing, event_id=event_id, body=body)
    async with transaction() as session:
        done = await session.get_one(EventPing, ping_id, with_for_update=True)
        done.status_code, done.duration_ms, done.done_at = answer.status_code, answer.duration_ms, clock.now()
        done.error = None if answer.accepted else answer.told
        if answer.accepted:
            await event_circuits.leave(session, done.product_id, endpoint, answer)


async def read_events(
    session: AsyncSession, actor: Principal, *, after: str | None, install_id: int | None, limit: int
) -> tuple[list[dict[str, Any]], bool]:
    """A product's events in their order, as they are delivered; gives them, and whether there are more.

    Parameters:
        after: id of the last event that was read; None to begin with the oldest.

    Raises:
        NotFound: the product has no such event.
    """
    assert actor.product_id is not None, "only the back end of a product uses this verb"
    oldest_open = text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    place = tuple_(ProductEvent.order_xid, ProductEvent.id)
    wanted = select(ProductEvent).where(
        ProductEvent.product_id == actor.product_id, ProductEvent.order_xid < oldest_open
    )
    if install_id is not None:
        wanted = wanted.where(ProductEvent.install_id == install_id)
    if after is not None:
        known = (ProductEvent.event_id == after, ProductEvent.product_id == actor.product_id)
        last = (await session.execute(select(ProductEvent.order_xid, ProductEvent.id).where(*known))).one_or_none()
        if last is None:
            raise NotFound.of("Event", field=("after",))
        wanted = wanted.where(place > tuple_(*last))
    ordered = wanted.order_by(ProductEvent.order_xid, ProductEvent.id).limit(limit + 1)
    found = list(await session.scalars(ordered))
    told = [{"id": event.event_id, "sequence": event.sequence, **event.payload} for event in found[:limit]]
    return told, len(found) > limit


async def _again(session: AsyncSession, event: ProductEvent) -> None:
    event.status = EventStatus.PENDING
    event.delivered_at = None
    key = f"install:{event.install_id}"
    await enqueue(session, DELIVER, {"eventId": event.id}, ordering_key=key, partner_id=event.partner_id)
