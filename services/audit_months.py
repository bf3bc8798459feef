"""Makes the coming months of the audit trail, and lets go of those whose time is over (ACC-6)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from dateutil.relativedelta import relativedelta
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import SYSTEM
from core.settings import get_settings
from models.audit_functions import MONTHS_AHEAD
from services import audit
from services.audit_chain import CHAIN_LOCK, append, last_segment

_OLDEST = text(
    """
    SELECT to_date(right(relname, 7), 'YYYY_MM'), now() FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'audit_events'::regclass ORDER BY relname LIMIT 1
    """
)
_MONTH = text(
    """
    SELECT count(*), coalesce(min(id), 0), coalesce(max(id), 0) FROM audit_events
    WHERE created_at >= :starts AND created_at < :ends
    """
)


async def make_months(session: AsyncSession) -> int:
    """Make what is missing of the coming months; gives how many were made."""
    return await session.scalar(select(func.audit_make_months(MONTHS_AHEAD))) or 0


async def expire_month(session: AsyncSession) -> date | None:
    """Let go of the oldest month if all of it is older than the setting says; gives the month, None for nothing to do.

    The chain records that the month went and how many events it held, so that the rest still verifies; the segments
    with the digests of its events stay.
    """
    await session.execute(select(func.pg_advisory_xact_lock(CHAIN_LOCK)))
    month, now = (await session.execute(_OLDEST)).one()
    starts = datetime(month.year, month.month, 1, tzinfo=UTC)
    ends = starts + relativedelta(months=1)
    settings = get_settings()
    last = await last_segment(session)
    if ends > now - timedelta(days=settings.audit_retention_days) or last is None:
        return None
    events, first_id, last_id = (await session.execute(_MONTH, {"starts": starts, "ends": ends})).one()
    await session.execute(select(func.audit_expire_month(month, settings.audit_keep_expired_months)))
    segment = await append(
        session,
        last,
        from_transaction=last.to_transaction,
        to_transaction=last.to_transaction,
        events=events,
        event_ids=(first_id, last_id),
        event_digests=b"",
        expired_month=month,
    )
    await audit.record(
        session, SYSTEM, "audit_trail.expire_month", segment, before={"month": month, "events": events}, after=None
    )
    expired: date = month
    return expired
