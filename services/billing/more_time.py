"""Money that was billed for another plan, term, price or number of seats buys time on what there is now (SUB-6)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from domain.periods import anchor_day, period_end
from domain.pricing import quote
from domain.proration import time_for
from models import Invoice, Plan, Subscription


async def more_time(session: AsyncSession, live: Subscription, invoice: Invoice) -> None:
    """Move the end of a paid subscription by the time that an invoice's total pays for at its present price."""
    plan = await session.get_one(Plan, live.plan_id)
    price = quote(
        model=plan.pricing_model, term=live.term, seats=live.seats, unit_price=live.unit_price, currency=live.currency
    )
    if price.per_month == 0:
        live.ends_at = period_end(live.ends_at, live.term.months, live.anchor_day, clock.zone())
        return
    live.ends_at = time_for(invoice.total, price.per_month, live.ends_at, live.anchor_day, clock.zone())
    live.anchor_day = anchor_day(live.ends_at, clock.zone())
