"""The door at which products tell of partners' activity: logins, operations, volumes of data (MON-1, ACC-7)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core import clock
from core.database import transaction
from core.errors import KontoraError, NotFound, UserError
from core.principal import Principal
from core.settings import get_settings
from domain.activity import AHEAD, LAST_LOGIN, InvalidPoint, check_day, check_name, check_value
from services.monitoring.activity import Point, resolve, take
from web.project import product_of
from web.rest import Fields, Malformed, answer, json_object, rest

MOST_POINTS = 1_000
LONGEST_NAME = 64
MOST_ERRORS = 100
_FIELDS = frozenset({"installId", "partnerId", "metric", "day", "value", "at"})


async def take_points(request: Request) -> Response:
    """Up to 1,000 points, all or none; what was told before is replaced. Each wrong point is named."""
    actor = await product_of(request)
    body = await json_object(request)
    Fields(body, frozenset({"points"}))
    rows = body.get("points")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_POINTS:
        raise Malformed(f"points must be a list of 1 to {MOST_POINTS} objects", field=("points",))
    points: list[Point] = []
    errors: list[dict[str, Any]] = []
    for place, row in enumerate(rows):
        try:
            points.append(_point(row))
        except UserError as error:
            errors.append(_told(place, error))
    if not errors:
        errors = await _keep(actor, points)
    if errors:
        whole = {"code": "INVALID_POINTS", "message": f"{len(errors)} points are wrong; nothing was kept"}
        return answer({"error": whole, "points": errors[:MOST_ERRORS]}, 422)
    return answer({"taken": len(points)})


async def _keep(actor: Principal, points: list[Point]) -> list[dict[str, Any]]:
    async with transaction() as session:
        known = await resolve(session, actor, points)
        found = [where for where in known if where is not None]
        if len(found) == len(points):
            await take(session, points, found)
            return []
    missing = NotFound("the product is not installed so", field=("installId",))
    elsewhere = NotFound("the product is not installed there", field=("partnerId",))
    return [
        _told(place, missing if points[place].install_id is not None else elsewhere)
        for place, where in enumerate(known)
        if where is None
    ]


def _point(row: Any) -> Point:
    fields = Fields(row, _FIELDS)
    by_install = row.get("installId") is not None
    if by_install == (row.get("partnerId") is not None):
        raise Malformed("give installId or partnerId", field=("installId",))
    install_id = fields.key("installId") if by_install else None
    partner_id = None if by_install else fields.key("partnerId")
    metric = check_name(fields.text("metric", most_chars=LONGEST_NAME))
    if metric == LAST_LOGIN:
        _only(row, "at", ("day", "value"))
        return Point(install_id, partner_id, login_at=_moment(fields.text("at", most_chars=40)))
    _only(row, "day and value", ("at",))
    value = fields.decimal("value")
    assert value is not None
    kept = get_settings().metric_retention_days
    day = check_day(fields.text("day", most_chars=10), clock.now().date(), kept)
    return Point(install_id, partner_id, metric, day, check_value(value))


def _only(row: dict[str, Any], wanted: str, others: tuple[str, ...]) -> None:
    other = next((name for name in others if name in row), None)
    if other is not None:
        raise Malformed(f"{row['metric']} is told with {wanted}", field=(other,))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        good = moment.tzinfo is not None and moment.astimezone(UTC) <= clock.now() + AHEAD
    except (ValueError, OverflowError):
        good = False
    if not good:
        raise InvalidPoint("at is a past moment such as 2026-12-31T10:00:00Z", field=("at",))
    return moment


def _told(place: int, error: KontoraError) -> dict[str, Any]:
    return {"index": place, "code": error.code, "field": (error.field or ("",))[-1], "message": error.message}


product_metrics_routes: list[BaseRoute] = [Route("/api/metrics", rest(take_points), methods=["POST"])]
