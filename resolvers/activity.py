"""The door to series of partners' metrics (MON-1)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

import strawberry

from core import clock
from core.database import transaction
from domain.activity import MetricAggregate, MetricGrain
from planner.binding import function_root
from planner.context import RunContext
from planner.scalars import DateTime, write_datetime
from resolvers.inputs import key_of, optional_key
from schema.activity import PartnerMetricSeries
from services.monitoring import activity

DEFAULT_SPAN = timedelta(days=365)


async def partner_metrics(
    context: RunContext,
    partner_id: Annotated[strawberry.ID, strawberry.argument(description="The partner.")],
    metrics: Annotated[list[str], strawberry.argument(description="1 to 20 names of metrics.")],
    since: Annotated[
        DateTime | None, strawberry.argument(description="From the day of this moment on; a year before the end.")
    ] = None,
    until: Annotated[DateTime | None, strawberry.argument(description="Before this moment; now unless told.")] = None,
    grain: Annotated[MetricGrain, strawberry.argument(description="A point a day, or a month.")] = MetricGrain.MONTH,
    aggregate: Annotated[
        MetricAggregate,
        strawberry.argument(
            description="How the days of a month come together: LAST for what there is, SUM for what was done."
        ),
    ] = MetricAggregate.LAST,
    product_id: Annotated[
        strawberry.ID | None, strawberry.argument(description="Only of installs of this product.")
    ] = None,
) -> list[dict[str, Any]]:
    """Metrics of a partner over time (MON-1)."""
    end: datetime = until or clock.now()
    async with transaction(context.principal) as session:
        found = await activity.series(
            session,
            context.principal,
            partner_id=key_of(partner_id, "Partner", "partnerId"),
            metrics=metrics,
            since=since or end - DEFAULT_SPAN,
            until=end,
            grain=grain,
            aggregate=aggregate,
            product_id=optional_key(product_id, "Product", "productId"),
        )
    return [
        {
            "metric": metric,
            "points": [
                {"start": write_datetime(datetime.combine(point.start, time(), UTC)), "value": str(point.value)}
                for point in found
                if point.metric == metric
            ],
        }
        for metric in dict.fromkeys(metrics)
    ]


@strawberry.type(description="Queries of partners' activity beyond the tables.")
class ActivityQueries:
    """Queries of partners' activity beyond the tables."""

    partner_metrics: Any = function_root(partner_metrics, list[PartnerMetricSeries], requires="activity:read")
