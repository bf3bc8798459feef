"""What products tell of partners' activity, taken in one statement a batch, and read as series (MON-1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import BigInteger, Date, DateTime, Integer, Numeric, Text

from core import clock
from core.principal import Principal
from domain import fields
from domain.activity import MetricAggregate, MetricGrain
from models import Partner, PartnerActivity
from policies.scopes import require
from services.loading import load

READ = "activity:read"
MOST_METRICS = 20
MOST_POINTS = 800


@dataclass(frozen=True)
class Point:
    """One thing that a product tells of an install or of its only install at a partner.

    Parameters:
        login_at: the last login; then there is neither metric, day nor value.
    """

    install_id: int | None
    partner_id: int | None
    metric: str | None = None
    day: date | None = None
    value: Decimal | None = None
    login_at: datetime | None = None


@dataclass(frozen=True)
class SeriesPoint:
    """A point of a series, over all installs that were asked about."""

    metric: str
    start: date
    value: Decimal


async def begin(session: AsyncSession, partner_id: int) -> None:
    """Watch a partner from its first install on. Twice is once."""
    watched = insert(PartnerActivity).values(partner_id=partner_id, idle_since=clock.now())
    await session.execute(watched.on_conflict_do_nothing(index_elements=[PartnerActivity.partner_id]))


async def resolve(session: AsyncSession, actor: Principal, points: Sequence[Point]) -> list[tuple[int, int] | None]:
    """The install and partner of each point, in order; None where the product is not installed so."""
    assert actor.product_id is not None, "only the back end of a product uses this verb"
    rows = await session.execute(
        _RESOLVE,
        {
            "product": actor.product_id,
            "places": list(range(len(points))),
            "installs": [point.install_id for point in points],
            "partners": [point.partner_id for point in points],
        },
    )
    return [None if row.install is None else (row.install, row.partner) for row in rows]


async def take(session: AsyncSession, points: Sequence[Point], known: Sequence[tuple[int, int]]) -> None:
    """Keep values and logins, in one statement. Told again they are replaced; an older login changes nothing.

    Parameters:
        known: the install and partner of each point.
    """
    values = [(point, where) for point, where in zip(points, known, strict=True) if point.login_at is None]
    logins = [(point, where) for point, where in zip(points, known, strict=True) if point.login_at is not None]
    await session.execute(
        _TAKE,
        {
            "now": clock.now(),
            "installs": [where[0] for _, where in values],
            "partners": [where[1] for _, where in values],
            "metrics": [point.metric for point, _ in values],
            "days": [point.day for point, _ in values],
            "values": [point.value for point, _ in values],
            "seen": [where[1] for _, where in logins],
            "moments": [point.login_at for point, _ in logins],
        },
    )


async def series(
    session: AsyncSession,
    actor: Principal,
    *,
    partner_id: int,
    metrics: Sequence[str],
    since: datetime,
    until: datetime,
    grain: MetricGrain,
    aggregate: MetricAggregate,
    product_id: int | None = None,
) -> list[SeriesPoint]:
    """Values of a partner's metrics over time, over all of its installs; days and months are those of UTC.

    Raises:
        NotFound: there is no such partner in the caller's reach.
        InvalidValue: no metrics or too many, or more points than are answered at once.
    """
    require(actor, READ, "Query.partnerMetrics")
    fields.whole(len(metrics), "metrics", least=1, most=MOST_METRICS)
    step = timedelta(days=1 if grain is MetricGrain.DAY else 28)
    if not timedelta(0) < until - since <= step * MOST_POINTS:
        raise fields.InvalidValue(f"until is after since, and at most {MOST_POINTS} points are told", field=("until",))
    await load(session, actor, Partner, partner_id, field="partnerId")
    rows = await session.execute(
        _SERIES,
        {
            "partner": partner_id,
            "metrics": list(metrics),
            "since": since.date(),
            "until": (until + timedelta(days=1) - until.resolution).date(),
            "grain": grain.lower(),
            "aggregate": aggregate.value,
            "product": product_id,
        },
    )
    return [SeriesPoint(*row) for row in rows]


def _arrays(sql: str, **types: Any) -> Any:
    return text(sql).bindparams(*(bindparam(name, type_=ARRAY(type_)) for name, type_ in types.items()))


_RESOLVE = _arrays(
    """
    SELECT installs.id AS install, installs.partner_id AS partner
    FROM unnest(CAST(:places AS int[]), CAST(:installs AS bigint[]), CAST(:partners AS bigint[]))
        AS told (place, install_id, partner_id)
    LEFT JOIN installs ON installs.product_id = :product
        AND (installs.id = told.install_id OR told.install_id IS NULL AND installs.partner_id = told.partner_id)
    ORDER BY told.place
    """,
    places=Integer,
    installs=BigInteger,
    partners=BigInteger,
)

# The last of a batch counts. Rows are taken in the order of their keys, so that batches wait for each other and
# never in a circle.
_TAKE = _arrays(
    """
    WITH seen AS (
        INSERT INTO partner_activities (partner_id, last_login_at, idle_since, reported_at)
        SELECT partner_id, max(moment), max(moment), :now
        FROM unnest(CAST(:seen AS bigint[]), CAST(:moments AS timestamptz[])) AS told (partner_id, moment)
        GROUP BY partner_id ORDER BY partner_id
        ON CONFLICT (partner_id) DO UPDATE SET
            last_login_at = excluded.last_login_at,
            idle_since = greatest(partner_activities.idle_since, excluded.last_login_at),
            reported_at = excluded.reported_at
        WHERE partner_activities.last_login_at IS NULL OR partner_activities.last_login_at < excluded.last_login_at
    )
    INSERT INTO partner_metrics (partner_id, metric, day, install_id, value, reported_at)
    SELECT DISTINCT ON (partner_id, metric, day, install_id) partner_id, metric, day, install_id, value, :now
    FROM unnest(CAST(:partners AS bigint[]), CAST(:metrics AS text[]), CAST(:days AS date[]),
        CAST(:installs AS bigint[]), CAST(:values AS numeric[])) WITH ORDINALITY
        AS told (partner_id, metric, day, install_id, value, place)
    ORDER BY partner_id, metric, day, install_id, place DESC
    ON CONFLICT (partner_id, metric, day, install_id) DO UPDATE
        SET value = excluded.value, reported_at = excluded.reported_at
    """,
    installs=BigInteger,
    partners=BigInteger,
    metrics=Text,
    days=Date,
    values=Numeric,
    seen=BigInteger,
    moments=DateTime(timezone=True),
)

_SERIES = _arrays(
    """
    SELECT metric, start, sum(value)
    FROM (
        SELECT metric, install_id, CAST(date_trunc(:grain, CAST(day AS timestamp)) AS date) AS start,
            CASE :aggregate WHEN 'SUM' THEN sum(value) WHEN 'MAX' THEN max(value)
                ELSE (array_agg(value ORDER BY day DESC))[1] END AS value
        FROM partner_metrics
        WHERE partner_id = :partner AND metric = ANY (:metrics) AND day >= :since AND day < :until
            AND (CAST(:product AS bigint) IS NULL
                OR install_id IN (SELECT id FROM installs WHERE partner_id = :partner AND product_id = :product))
        GROUP BY 1, 2, 3) AS of_install
    GROUP BY 1, 2 ORDER BY 1, 2
    """,
    metrics=Text,
)
