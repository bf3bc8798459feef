"""Orders of a change that nobody paid in time are cancelled (SUB-5)."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import SYSTEM
from domain.billing import WAITING_INVOICE, InvoiceStatus
from models import Install, Invoice, Subscription
from services.billing.orders import CHANGE_ORDERS, cancel

CHUNK = 200


async def cancel_lapsed(session: AsyncSession) -> int:
    """Cancel a chunk of unpaid orders whose period, or whose subscription's period, is over; gives their number.

    One whose money is on its way is left alone, and one whose install somebody works with waits for the next run.
    """
    now = clock.now()
    over = func.least(Invoice.period_end, Subscription.ends_at) <= now
    wanted = (
        select(Invoice)
        .join(Subscription, Subscription.id == Invoice.subscription_id)
        .join(Install, Install.id == Invoice.install_id)
        .where(
            Invoice.kind.in_(sorted(CHANGE_ORDERS)),
            Invoice.status.in_(sorted(WAITING_INVOICE - {InvoiceStatus.CHARGING})),
            over,
            Subscription.paused_at.is_(None),
        )
        .order_by(Invoice.id)
        .limit(CHUNK)
        .with_for_update(key_share=True, skip_locked=True, of=[Install, Invoice])
    )
    lapsed = list(await session.scalars(wanted))
    for invoice in lapsed:
        await cancel(session, SYSTEM, invoice, "the period ended before the change was paid")
    return len(lapsed)
