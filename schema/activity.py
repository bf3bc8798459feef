"""Partners' activity as products tell it: the last login, operations, volumes of data, series (MON-1)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy import Boolean

import models
from domain.activity import MetricAggregate, MetricGrain, check_name
from planner.binding import (
    Node,
    bound,
    column,
    days_ago,
    equals,
    filter_input,
    graphql_enum,
    meets,
    order_input,
    plain,
    sql,
    to_one,
    value,
)
from planner.pages import days_before_now
from planner.scalars import DateTime, Decimal
from planner.sources import SqlArgument

for _enum in (MetricGrain, MetricAggregate):
    graphql_enum(_enum)
READ = "activity:read"
DEFAULT_DAYS = 30


def _first_day(days: int) -> date:
    """The first of the last so many days, today's included."""
    return days_before_now(days, ("days",)).date() + timedelta(days=1)


PartnerActivityFilter = filter_input(
    "PartnerActivity",
    {
        "partner_id": equals(models.PartnerActivity.partner_id, "Only of this partner.", id_of="Partner"),
        "idle_for_days": days_ago(
            models.PartnerActivity.idle_since, "Only of partners where nobody has logged in for so many days."
        ),
        "partner_status": meets(
            "EXISTS (SELECT FROM partners p WHERE p.id = {row}.partner_id AND p.status = {value})",
            models.Partner.status,
            "Only of partners of this standing.",
        ),
        "segment": meets(
            "EXISTS (SELECT FROM partners p WHERE p.id = {row}.partner_id AND p.segment = {value})",
            models.Partner.segment,
            "Only of partners of this segment.",
        ),
        "account_manager_id": meets(
            "EXISTS (SELECT FROM partners p WHERE p.id = {row}.partner_id AND p.account_manager_id = {value})",
            models.Partner.account_manager_id,
            "Only of partners of this account manager.",
            id_of="User",
        ),
        "product_id": meets(
            "EXISTS (SELECT FROM installs i WHERE i.partner_id = {row}.partner_id AND i.product_id = {value} "
            "AND i.status <> 'DISABLED')",
            models.Install.product_id,
            "Only of partners where this product is installed.",
            id_of="Product",
        ),
        "installed": meets(
            "EXISTS (SELECT FROM installs i WHERE i.partner_id = {row}.partner_id AND i.status <> 'DISABLED') "
            "= {value}",
            Boolean(),
            "Only of partners where something is installed, or only of those where nothing is any more.",
        ),
    },
)
PartnerActivityOrder = order_input("PartnerActivity", {"IDLE_SINCE": models.PartnerActivity.idle_since})


@bound(
    models.PartnerActivity,
    requires=READ,
    description="How a partner uses our products, as they tell it; there since the partner's first install (MON-1).",
)
class PartnerActivity(Node):
    """How a partner uses our products."""

    last_login_at: Any = column(
        models.PartnerActivity.last_login_at, "When somebody last logged in to one; null where nobody has yet."
    )
    idle_since: Any = column(
        models.PartnerActivity.idle_since, "The last login; the first install where there was none."
    )
    reported_at: Any = column(models.PartnerActivity.reported_at, "When a product last told of a login.")
    operations: Decimal = sql(
        "SELECT coalesce(sum(m.value), 0) FROM partner_metrics m WHERE m.partner_id = {row}.partner_id "
        "AND m.metric = 'operations' AND m.day >= {days}",
        Decimal,
        "decimal",
        "Operations of the last days, over all installs.",
        arguments=(SqlArgument("days", int, DEFAULT_DAYS, "How many days, today's included.", "date", _first_day),),
    )
    volume: Decimal | None = sql(
        "SELECT sum(latest.value) FROM (SELECT DISTINCT ON (m.install_id) m.value FROM partner_metrics m "
        "WHERE m.partner_id = {row}.partner_id AND m.metric = {metric} ORDER BY m.install_id, m.day DESC) latest",
        Decimal | None,
        "decimal",
        "What a metric was when it was last told, over all installs; null where it never was.",
        arguments=(SqlArgument("metric", str, None, "Its name: clients, lessons, payments…", "text", check_name),),
    )
    partner: Any = to_one(
        "schema.partners.Partner", models.PartnerActivity.partner_id, "The partner.", requires="partner:read"
    )


@plain(requires=READ, description="A point of a series (MON-1).")
class PartnerMetricPoint:
    """A point of a series."""

    start: DateTime = value("The beginning of its day or month, in UTC.")
    value: Decimal = value("The value over all installs that were asked about.")


@plain(requires=READ, description="A metric of a partner over time (MON-1).")
class PartnerMetricSeries:
    """A metric of a partner over time."""

    metric: str = value("Its name.")
    points: list[PartnerMetricPoint] = value(
        "In the order of time; days and months of which nothing was told are left out."
    )
