"""Events told to products: written with the change, numbered per install, delivered signed and in order (NOT-2)."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import BigInteger, Text, cast, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock, crypto
from core.database import transaction
from core.errors import KontoraError
from domain.effects import EventStatus
from domain.events import EVENT_TYPES, check_data
from gateways.events.client import Answer
from gateways.events.client import deliver as call
from models import EventDelivery, Install, Product, ProductEvent
from services import event_circuits
from services.outbox import PermanentFailure, enqueue

DELIVER = "event.deliver"
SECRET_BYTES = 24


class NotDelivered(KontoraError):
    """The endpoint did not take the event; the outbox tries again later."""

    code = "NOT_DELIVERED"


async def emit(session: AsyncSession, install: Install, type: str, data: dict[str, Any]) -> ProductEvent:
    """Write an event of an install and, where the product has an endpoint for it, the message that delivers it.

    Parameters:
        type: one of ``EVENT_TYPES``, for example ``install.activated``.
        data: what happened, as JSON values: ids, dates, amounts as strings; no personal data.

    Raises:
        KeyError: there is no such type of event.
        ValueError: the data says what its reference does not tell of.
    """
    product = await session.get_one(Product, install.product_id)
    endpoint: str | None = getattr(product, check_data(type, data).endpoint.column)
    reachable = endpoint is not None and product.event_secret_encrypted is not None
    sequence, order_xid = await _next_place(session, install.id)
    event = ProductEvent(
        event_id=f"evt_{secrets.token_hex(16)}",
        partner_id=install.partner_id,
        product_id=product.id,
        install_id=install.id,
        sequence=sequence,
        order_xid=order_xid,
        type=type,
        payload={"type": type, "timestamp": clock.now().isoformat(), "installId": str(install.id), "data": data},
        endpoint=endpoint,
        status=EventStatus.PENDING if reachable else EventStatus.SKIPPED,
    )
    session.add(event)
    await session.flush()
    if reachable:
        await enqueue(
            session,
            DELIVER,
            {"eventId": event.id},
            ordering_key=f"install:{install.id}",
            partner_id=install.partner_id,
        )
    return event


async def deliver(event_id: int) -> None:
    """Make one attempt, log it, and mark the event delivered if the endpoint took it; failed at once if it is disabled.

    Raises:
        Postponed: the endpoint has failed so often that it is left alone for a while.
        NotDelivered: it did not; trying again may help.
        PermanentFailure: it answered 410 Gone.
    """
    parcel = await _pack(event_id)
    if parcel is None:
        return
    async with transaction() as session:
        if not await event_circuits.enter(session, parcel.product_id, parcel.endpoint):
            await give_up(session, event_id)
            return
    answer = await call(parcel.endpoint, secrets=parcel.secrets, event_id=parcel.event_id, body=parcel.body)
    async with transaction() as session:
        await _log(session, event_id, answer)
        await event_circuits.leave(session, parcel.product_id, parcel.endpoint, answer)
    if answer.gone:
        raise PermanentFailure(answer.told)
    if not answer.accepted:
        raise NotDelivered(answer.told)


async def give_up(session: AsyncSession, event_id: int) -> None:
    """Mark an event whose attempts are over; a replay of its dead letter may still deliver it."""
    undelivered = (ProductEvent.id == event_id, ProductEvent.status == EventStatus.PENDING)
    await session.execute(update(ProductEvent).where(*undelivered).values(status=EventStatus.FAILED))


def secrets_of(product: Product) -> tuple[str, ...]:
    """The secrets that sign now: the current one first, and the one before it during its overlap."""
    if product.event_secret_encrypted is None:
        return ()
    current = crypto.decrypt(product.event_secret_encrypted, _secret_context(product.id))
    until = product.previous_event_secret_until
    if product.previous_event_secret_encrypted is None or until is None or until <= clock.now():
        return (current,)
    return current, crypto.decrypt(product.previous_event_secret_encrypted, _secret_context(product.id))


def new_secret(product: Product, overlap: timedelta = timedelta(0)) -> str:
    """Give a flushed product a new signing secret; the plain text is told once and kept only encrypted.

    Parameters:
        overlap: how long the secret before it signs too.
    """
    product.previous_event_secret_encrypted = product.event_secret_encrypted if overlap else None
    product.previous_event_secret_until = clock.now() + overlap if overlap else None
    plain = "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    product.event_secret_encrypted = crypto.encrypt(plain, _secret_context(product.id))
    return plain


@dataclass(frozen=True)
class _Parcel:
    product_id: int
    endpoint: str
    secrets: tuple[str, ...]
    event_id: str
    body: str


async def _pack(event_id: int) -> _Parcel | None:
    """What to send; None for an event that was delivered already. A changed endpoint or secret counts at once."""
    async with transaction() as session:
        event = await session.get_one(ProductEvent, event_id)
        product = await session.get_one(Product, event.product_id)
        if event.status in (EventStatus.DELIVERED, EventStatus.SKIPPED):
            return None
        endpoint: str | None = getattr(product, EVENT_TYPES[event.type].endpoint.column)
        if endpoint is None or product.event_secret_encrypted is None:
            event.status = EventStatus.SKIPPED
            return None
        event.endpoint = endpoint
        body = orjson.dumps({"id": event.event_id, "sequence": event.sequence, **event.payload}).decode()
        return _Parcel(product.id, endpoint, secrets_of(product), event.event_id, body)


async def _log(session: AsyncSession, event_id: int, answer: Answer) -> None:
    event = await session.get_one(ProductEvent, event_id, with_for_update=True)
    made = await session.scalar(select(func.count()).where(EventDelivery.product_event_id == event_id))
    session.add(
        EventDelivery(
            partner_id=event.partner_id,
            product_event_id=event_id,
            attempt=(made or 0) + 1,
            status_code=answer.status_code,
            error=None if answer.accepted else answer.told,
            duration_ms=answer.duration_ms,
        )
    )
    if answer.accepted:
        event.status = EventStatus.DELIVERED
        event.delivered_at = clock.now()


async def _next_place(session: AsyncSession, install_id: int) -> tuple[int, int]:
    """The next number of the install's events, and where it stands among those of the product."""
    here = cast(cast(func.pg_current_xact_id(), Text), BigInteger)
    taken = await session.execute(
        update(Install)
        .where(Install.id == install_id)
        .values(event_sequence=Install.event_sequence + 1, event_xid=func.greatest(Install.event_xid, here))
        .returning(Install.event_sequence, Install.event_xid)
    )
    sequence, order_xid = taken.one()
    return sequence, order_xid


def _secret_context(product_id: int) -> str:
    return f"products.event_secret:{product_id}"
