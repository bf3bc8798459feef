"""Announces the ends of subscriptions some days before, each notice once, in any number of processes (SUB-4)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, DateTime, Integer, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.settings import get_settings
from services.billing.cards import chargeable_accounts
from services.events_many import ISO, emit_many
from services.outbox import ORIGIN, origin

CHUNK_ROWS = 1_000

# Of several notices that are late only the nearest to the end is sent. A period shorter than a notice's days gets
# none for them. A subscription that moves its end is announced anew.
_NOTIFY = f"""
    WITH due AS MATERIALIZED (
        SELECT s.id AS subscription_id, s.partner_id, s.install_id, i.product_id, s.status, s.seats, s.ends_at,
            CASE WHEN s.cancel_at_period_end OR s.plan_id IS NULL THEN 'NONE'
                WHEN s.auto_renew AND s.card_account = ANY (:accounts) THEN 'CARD' ELSE 'INVOICE' END AS renewal,
            (SELECT min(day) FROM unnest(CAST(:days AS int[])) AS day
                WHERE (s.ends_at AT TIME ZONE :zone - make_interval(days => day)) AT TIME ZONE :zone <= :now
            ) AS days_before
        FROM subscriptions s JOIN installs i ON i.id = s.install_id
        WHERE s.status IN ('TRIAL', 'ACTIVE') AND s.paused_at IS NULL AND i.status <> 'DISABLED'
            AND s.ends_at > :now AND s.ends_at <= :now + make_interval(days => :longest + 1)
            AND EXISTS (
                SELECT FROM unnest(CAST(:days AS int[])) AS day
                WHERE (s.ends_at AT TIME ZONE :zone - make_interval(days => day)) AT TIME ZONE :zone <= :now
                    AND (s.ends_at AT TIME ZONE :zone - make_interval(days => day)) AT TIME ZONE :zone > s.starts_at
                    AND NOT EXISTS (SELECT FROM subscription_notices AS sent
                        WHERE sent.subscription_id = s.id AND sent.ends_at = s.ends_at AND sent.days_before <= day))
        ORDER BY s.ends_at, s.id LIMIT :rows
        FOR NO KEY UPDATE OF i, s SKIP LOCKED
    ),
    noted AS (
        INSERT INTO subscription_notices (partner_id, subscription_id, ends_at, days_before)
        SELECT partner_id, subscription_id, ends_at, days_before FROM due
        ON CONFLICT DO NOTHING
        RETURNING subscription_id, days_before
    ),
    told AS (
        SELECT due.install_id, due.partner_id, due.product_id, jsonb_build_object(
            'subscriptionId', due.subscription_id::text, 'status', due.status, 'seats', due.seats::text,
            'activeUntil', {ISO.format(moment="due.ends_at")}, 'daysLeft', due.days_before, 'renewal', renewal,
            'invoiceNumber', bill.number, 'total', bill.total::text, 'currency', bill.currency) AS data
        FROM due JOIN noted USING (subscription_id, days_before)
        LEFT JOIN invoices AS bill ON bill.subscription_id = due.subscription_id AND bill.kind = 'RENEWAL'
            AND bill.status <> 'CANCELED' AND bill.period_start = due.ends_at
    ),
{emit_many("told", "subscription.ending")}
    SELECT count(*) FROM due
"""  # noqa: S608 - constants only
_STATEMENT = text(_NOTIFY).bindparams(
    bindparam("now", type_=DateTime(timezone=True)),
    bindparam("accounts", type_=ARRAY(Text())),
    bindparam("zone", type_=Text()),
    bindparam("days", type_=ARRAY(Integer())),
    bindparam("longest", type_=Integer()),
    bindparam("told_at", type_=Text()),
    *ORIGIN,
)


async def notify_ending(session: AsyncSession, rows: int = CHUNK_ROWS) -> int:
    """Announce the ends of at most ``rows`` subscriptions; gives how many, 0 when all are announced."""
    settings = get_settings()
    if not settings.notice_days:
        return 0
    now = clock.now()
    given: dict[str, Any] = {
        "now": now,
        "accounts": chargeable_accounts(),
        "zone": settings.legal_entity_timezone,
        "days": list(settings.notice_days),
        "longest": settings.notice_days[0],
        "told_at": now.isoformat(),
        **origin(),
        "rows": rows,
    }
    told: int | None = await session.scalar(_STATEMENT, given)
    return told or 0
