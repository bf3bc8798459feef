"""A paid month from the end of January, and what the schedule does in one night."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from core import clock
from core.database import transaction
from core.principal import Principal
from domain.billing import PaymentStatus
from domain.catalog import Term
from gateways.sandbox.client import GOOD_CARD, notification
from services import billing
from workers.outbox import process

START = datetime(2027, 1, 31, 9, 0, tzinfo=UTC)
END = datetime(2027, 2, 28, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
A_MINUTE = timedelta(minutes=1)


async def subscribe(owner: asyncpg.Connection, world: Any, staff: Principal, card: str | None = GOOD_CARD) -> int:
    """A paid month of three seats from START, and the subscription's key."""
    clock.travel(START)
    async with transaction(staff) as session:
        _, payment = await billing.create_subscription(
            session, staff, install_id=world.install, plan_id=world.plan, term=Term.MONTH, seats=3
        )
    await billing.open_payment(payment.id)
    raw = notification(payment.order_id, payment.amount, "RUB", PaymentStatus.CONFIRMED, card)
    async with transaction() as session:
        await billing.receive_notification(session, "sandbox", raw, {})
    await run_messages(owner, "payment.notification")
    # The clock ticks while the order is paid; whole hours are easier to read.
    found: int = await owner.fetchval(
        "UPDATE subscriptions SET starts_at = $1, ends_at = $2 WHERE status = 'ACTIVE' RETURNING id", START, END
    )
    return found


async def run_messages(owner: asyncpg.Connection, kind: str) -> int:
    """Handle what waits of a kind; gives how many."""
    rows = await owner.fetch("SELECT id FROM outbox_messages WHERE kind = $1 AND status = 'PENDING'", kind)
    for row in rows:
        await process(row["id"])
    return len(rows)


async def night(owner: asyncpg.Connection, moment: datetime) -> None:
    """What the schedule does at a moment."""
    clock.travel(moment)
    for work in (billing.issue_due_renewals, billing.notify_ending, billing.plan_due_charges):
        async with transaction() as session:
            await work(session)
    await run_messages(owner, "invoice.charge")
    async with transaction() as session:
        await billing.lapse_due(session)


async def state(owner: asyncpg.Connection) -> tuple[str, str]:
    """Status of the subscription and of its newest invoice."""
    subscription = await owner.fetchval("SELECT status FROM subscriptions ORDER BY id DESC LIMIT 1")
    return subscription, await owner.fetchval("SELECT status FROM invoices ORDER BY id DESC LIMIT 1")


async def events(owner: asyncpg.Connection) -> list[str]:
    """Types of the events told, in order."""
    return [row["type"] for row in await owner.fetch("SELECT type FROM product_events ORDER BY id")]
