"""Locks of billing, taken in one order: install, invoice, payment."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing import LIVE_SUBSCRIPTION
from models import Install, Invoice, Payment, Subscription

# Rows that point here by a foreign key may be written meanwhile; changes of the row itself wait.
LOCK = {"key_share": True}
# For so long after a call to a gateway was begun, another process leaves what it is about alone.
IN_FLIGHT = timedelta(seconds=40)


async def live_subscription(session: AsyncSession, install_id: int) -> Subscription | None:
    """The live subscription of an install, locked; at most one by the database's own rule (SUB-1)."""
    wanted = select(Subscription).where(
        Subscription.install_id == install_id, Subscription.status.in_(LIVE_SUBSCRIPTION)
    )
    live: Subscription | None = await session.scalar(wanted.with_for_update())
    return live


async def lock_payment(session: AsyncSession, payment_id: int) -> tuple[Install | None, Invoice, Payment]:
    """A payment with what it may move, locked in the one order: install, invoice, payment."""
    payment = await session.get_one(Payment, payment_id)
    invoice = await session.get_one(Invoice, payment.invoice_id)
    install = None
    if invoice.install_id is not None:
        install = await session.get_one(Install, invoice.install_id, with_for_update=LOCK, populate_existing=True)
    invoice = await session.get_one(Invoice, invoice.id, with_for_update=LOCK, populate_existing=True)
    payment = await session.get_one(Payment, payment_id, with_for_update=LOCK, populate_existing=True)
    return install, invoice, payment
