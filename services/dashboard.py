"""The figures of the dashboard, all in one statement (ANA-1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import orjson
from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from core.settings import get_settings
from domain.money import rounded
from policies.scopes import require, require_all_rows

ENDING_WITHIN = timedelta(days=7)

# What a live subscription brings a month; nothing on trial, and nothing while it is paused.
_FIGURES = text("""
    WITH monthly AS (
        SELECT s.currency, sum(CASE p.pricing_model WHEN 'FLAT' THEN 1 ELSE s.seats END * s.unit_price) AS total
        FROM subscriptions s LEFT JOIN plans p ON p.id = s.plan_id
        WHERE s.status = 'ACTIVE' AND s.paused_at IS NULL
        GROUP BY s.currency
    ),
    unpaid AS (
        SELECT currency, count(*) AS bills, sum(total) AS total, count(*) FILTER (WHERE due_at < :now) AS overdue
        FROM invoices WHERE status IN ('PENDING', 'ACTION_REQUIRED') GROUP BY currency
    ),
    rates AS (
        SELECT DISTINCT ON (currency) currency, rate FROM currency_rates
        WHERE valid_from <= :now ORDER BY currency, valid_from DESC
    )
    SELECT
        (SELECT count(*) FROM products WHERE status = 'ACTIVE') AS products,
        (SELECT count(*) FROM partners WHERE status <> 'ARCHIVED') AS partners,
        (SELECT count(*) FROM installs WHERE status = 'ACTIVATED') AS active_installs,
        (SELECT count(*) FROM subscriptions WHERE status = 'TRIAL') AS trials,
        (SELECT count(*) FROM subscriptions WHERE status = 'PAST_DUE') AS past_due,
        (SELECT count(*) FROM subscriptions
            WHERE status IN ('TRIAL', 'ACTIVE') AND paused_at IS NULL AND ends_at >= :now AND ends_at < :soon
        ) AS ending,
        (SELECT coalesce(sum(bills), 0) FROM unpaid)::bigint AS unpaid,
        (SELECT coalesce(sum(overdue), 0) FROM unpaid)::bigint AS overdue,
        (SELECT coalesce(jsonb_object_agg(currency, total::text), '{}') FROM monthly)::text AS monthly,
        (SELECT coalesce(jsonb_object_agg(currency, total::text), '{}') FROM unpaid)::text AS owed,
        (SELECT coalesce(jsonb_object_agg(currency, rate::text), '{}') FROM rates)::text AS rates
""").bindparams(bindparam("now", type_=DateTime(timezone=True)), bindparam("soon", type_=DateTime(timezone=True)))


@dataclass(frozen=True)
class Dashboard:
    """Where the business stands now.

    Parameters:
        mrr: by currency; ``mrr_converted`` is the sum in the base currency, None where a rate is missing.
    """

    products: int
    partners: int
    active_installs: int
    trials: int
    past_due: int
    ending: int
    unpaid: int
    overdue: int
    mrr: Mapping[str, Decimal]
    owed: Mapping[str, Decimal]
    mrr_converted: Decimal | None
    base_currency: str
    missing_rates: list[str]


async def dashboard(session: AsyncSession, actor: Principal) -> Dashboard:
    """All figures, as of one moment.

    Raises:
        Forbidden: the actor lacks ``dashboard:read``, or is held to one partner.
    """
    require(actor, "dashboard:read", "Query.dashboard")
    require_all_rows(actor, "Query.dashboard")
    now = clock.now()
    row = (await session.execute(_FIGURES, {"now": now, "soon": now + ENDING_WITHIN})).one()._mapping
    mrr, owed, rates = (_sums(row[name]) for name in ("monthly", "owed", "rates"))
    base = get_settings().base_currency
    rates[base] = Decimal(1)
    missing = sorted(currency for currency in mrr if currency not in rates)
    converted = None if missing else sum((rounded(sum_ * rates[code]) for code, sum_ in mrr.items()), Decimal("0.00"))
    names = ("products", "partners", "active_installs", "trials", "past_due", "ending", "unpaid", "overdue")
    return Dashboard(
        **{name: row[name] for name in names},
        mrr=mrr,
        owed=owed,
        mrr_converted=converted,
        base_currency=base,
        missing_rates=missing,
    )


def _sums(told: str) -> dict[str, Decimal]:
    return {currency: Decimal(value) for currency, value in sorted(orjson.loads(told).items())}
