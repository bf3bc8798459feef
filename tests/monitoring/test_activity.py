"""Metrics that products tell, and partners that sleep (MON-1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest

from core import clock
from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from core.settings import get_settings
from policies.roles import ROLES
from services import installs, retention
from tests.api import payload, run
from tests.factories.world import STAFF, a_partner, a_product, an_install
from web.app import build

SLEEPING = """
query($days: Int!, $status: PartnerStatus) { partnerActivities(
  filter: {idleForDays: $days, partnerStatus: $status, installed: true}, orderBy: {field: IDLE_SINCE, direction: ASC}) {
  totalCount nodes { partner { databaseId } lastLoginAt } } }
"""
SERIES = """
query($id: ID!, $since: DateTime!, $until: DateTime!, $grain: MetricGrain!, $aggregate: MetricAggregate!, $of: ID) {
  partnerMetrics(partnerId: $id, metrics: ["clients", "operations"], since: $since, until: $until, grain: $grain,
    aggregate: $aggregate, productId: $of) { metric points { start value } } }
"""


@dataclass
class Backend:
    """The back end of a product with an install at each of two partners."""

    http: httpx.AsyncClient
    token: str
    product: int
    partners: tuple[int, int]
    installs: tuple[int, int]

    async def send(self, *points: Any, token: str = "") -> httpx.Response:
        """Send points."""
        headers = {"X-Project-Token": token or self.token}
        return await self.http.post("/api/metrics", json={"points": list(points)}, headers=headers)

    def point(self, metric: str, value: Any, day: str | None = None, **more: Any) -> dict[str, Any]:
        """A point of the first install, of today."""
        return {
            "installId": str(self.installs[0]),
            "metric": metric,
            "day": day or clock.now().date().isoformat(),
            "value": value,
            **more,
        }

    def login(self, at: str, partner: int = 0) -> dict[str, Any]:
        """A login at a partner."""
        return {"partnerId": str(self.partners[partner]), "metric": "last_login", "at": at}


@pytest.fixture
async def backend(owner: asyncpg.Connection) -> AsyncIterator[Backend]:
    """A product at two partners."""
    made = await a_product()
    first, second = await a_partner(), await a_partner()
    here = (await an_install(first.id, made.product.id)).id, (await an_install(second.id, made.product.id)).id
    transport = httpx.ASGITransport(build(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kontora.test") as http:
        yield Backend(http, made.project_token, made.product.id, (first.id, second.id), here)


async def test_points_replace_and_never_add(backend: Backend, owner: asyncpg.Connection) -> None:
    for value in (5, "7.5"):
        answer = await backend.send(backend.point("operations", 1), backend.point("operations", value))
        assert (answer.status_code, answer.json()) == (200, {"taken": 2})
    assert await owner.fetchval("SELECT sum(value) FROM partner_metrics") == Decimal("7.5")
    await asyncio.gather(*(backend.send(backend.point("clients", n), backend.point("lessons", n)) for n in range(8)))
    assert await owner.fetchval("SELECT count(*) FROM partner_metrics") == 3


async def test_an_older_login_changes_nothing(backend: Backend, owner: asyncpg.Connection) -> None:
    at = (clock.now() - timedelta(hours=1)).isoformat()
    older = (clock.now() - timedelta(days=2)).isoformat()
    for told in ((older, at, older), (older,)):
        assert (await backend.send(*(backend.login(moment) for moment in told))).status_code == 200
    found = await owner.fetchrow("SELECT last_login_at, idle_since FROM partner_activities ORDER BY partner_id LIMIT 1")
    assert found is not None
    assert found["last_login_at"].isoformat() == at
    # The install is younger than the login.
    assert found["idle_since"] > found["last_login_at"]


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"metric": "Клиенты"}, "metric", "INVALID_POINT"),
        ({"metric": "x" * 65}, "metric", "MALFORMED"),
        ({"value": -1}, "value", "INVALID_POINT"),
        ({"value": "0.0001"}, "value", "INVALID_POINT"),
        ({"value": "1e30"}, "value", "INVALID_POINT"),
        ({"value": 1.5}, "value", "MALFORMED"),
        ({"value": True}, "value", "MALFORMED"),
        ({"value": None}, "value", "MALFORMED"),
        ({"day": "2026-02-30"}, "day", "INVALID_POINT"),
        ({"day": "20260201"}, "day", "INVALID_POINT"),
        ({"day": "1999-01-01"}, "day", "INVALID_POINT"),
        ({"day": "2999-01-01"}, "day", "INVALID_POINT"),
        ({"installId": "999999"}, "installId", "NOT_FOUND"),
        ({"installId": "x"}, "installId", "MALFORMED"),
        ({"installId": None}, "installId", "MALFORMED"),
        ({"partnerId": "1"}, "installId", "MALFORMED"),
        ({"at": "2026-01-01T00:00:00Z"}, "at", "MALFORMED"),
        ({"metric": "last_login"}, "day", "MALFORMED"),
        ({"extra": 1}, "extra", "MALFORMED"),
    ],
)
async def test_one_wrong_point_is_named_and_none_is_kept(
    backend: Backend, owner: asyncpg.Connection, change: dict[str, Any], field: str, code: str
) -> None:
    answer = await backend.send(backend.point("clients", 1), {**backend.point("clients", 2), **change})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "INVALID_POINTS"), answer.text
    (told,) = answer.json()["points"]
    assert (told["index"], told["field"], told["code"]) == (1, field, code)
    assert await owner.fetchval("SELECT count(*) FROM partner_metrics") == 0


async def test_batches_are_bounded_and_belong_to_a_product(backend: Backend, owner: asyncpg.Connection) -> None:
    whole = [backend.point("clients", 1)] * 1_000
    assert (await backend.send(*whole)).status_code == 200
    for points in ([*whole, whole[0]], []):
        answer = await backend.send(*points)
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "points")
    assert (await backend.send({"partnerId": "1"}, "x", 5)).json()["points"][1]["code"] == "MALFORMED"
    other = await a_product()
    foreign = await backend.send(backend.point("clients", 9), token=other.project_token)
    assert foreign.json()["points"] == [
        {"index": 0, "code": "NOT_FOUND", "field": "installId", "message": "the product is not installed so"}
    ]
    assert (await backend.send(whole[0], token="kpt_wrong")).status_code == 401
    assert (await backend.send(backend.login("2999-01-01T00:00:00Z"))).json()["points"][0]["field"] == "at"
    assert await owner.fetchval("SELECT sum(value) FROM partner_metrics") == 1


async def test_sleeping_partners_longest_first_by_the_index(backend: Backend, owner: asyncpg.Connection) -> None:
    clock.travel(clock.now() + timedelta(days=40))
    login = (clock.now() - timedelta(days=2)).isoformat()
    await backend.send(backend.login(login, 1))
    third = await a_partner()
    await an_install(third.id, backend.product)

    async def sleeping(days: int, status: str | None = None) -> list[str]:
        found = await payload(SLEEPING, days=days, status=status)
        assert found["totalCount"] == len(found["nodes"])
        return [node["partner"]["databaseId"] for node in found["nodes"]]

    first, second = (str(partner) for partner in backend.partners)
    assert await sleeping(30) == [first]
    assert await sleeping(1) == [first, second]
    assert await sleeping(0) == [first, second, str(third.id)]
    assert await sleeping(30, "BLOCKED") == []
    of_product = await payload(
        "query($p: ID!) { partnerActivities(filter: {productId: $p}) { totalCount } }",
        p=encode_id("Product", backend.product),
    )
    assert of_product == {"totalCount": 3}
    async with transaction() as session:
        await installs.disable(session, STAFF, install_id=backend.installs[0])
    assert await sleeping(30) == []
    await owner.execute("SET enable_seqscan = off")
    plan = await owner.fetch(
        "EXPLAIN SELECT id FROM partner_activities WHERE idle_since < now() ORDER BY idle_since, id LIMIT 20"
    )
    assert "ix_partner_activities_idle" in str(plan)
    assert "Sort" not in str(plan)


async def test_activity_and_series_of_a_partner(backend: Backend, owner: asyncpg.Connection) -> None:
    today = clock.now().date()
    start = date(today.year, today.month, 1)
    before = start - timedelta(days=1)
    points = [("clients", 10, before), ("clients", 12, start), ("operations", 3, before), ("operations", 4, start)]
    if today != start:
        points += [("clients", 15, today), ("operations", 5, today)]
    await backend.send(*(backend.point(metric, value, day.isoformat()) for metric, value, day in points))
    other = await a_product()
    second = await an_install(backend.partners[0], other.product.id)
    await backend.send(
        {**backend.point("clients", 100, start.isoformat()), "installId": str(second.id)}, token=other.project_token
    )
    partner = encode_id("Partner", backend.partners[0])
    told = await payload(
        'query($id: ID!) { partner(id: $id) { activity { operations clients: volume(metric: "clients") '
        'none: volume(metric: "lessons") lastDay: operations(days: 1) } } }',
        id=partner,
    )
    last = 115 if today != start else 112
    done = sum(value for metric, value, day in points if metric == "operations" and day > today - timedelta(days=30))
    assert {name: value and Decimal(value) for name, value in told["activity"].items()} == {
        "operations": done,
        "clients": last,
        "none": None,
        "lastDay": 5 if today != start else 4,
    }
    asked = {
        "id": partner,
        "since": f"{before}T00:00:00Z",
        "until": (clock.now() + timedelta(days=1)).isoformat().replace("+00:00", "Z"),
        "grain": "MONTH",
    }

    async def series(caller: Principal = STAFF, **more: Any) -> dict[str, list[Decimal]]:
        answer = await run(SERIES, caller, **{**asked, "aggregate": "LAST", **more})
        assert not answer["errors"], answer["errors"]
        lines = answer["data"]["partnerMetrics"]
        return {line["metric"]: [Decimal(point["value"]) for point in line["points"]] for line in lines}

    this_month = [value for metric, value, day in points if metric == "operations" and day >= start]
    assert (await series())["clients"] == [10, last]
    assert (await series(aggregate="SUM"))["operations"] == [3, sum(this_month)]
    assert (await series(aggregate="MAX", of=encode_id("Product", backend.product)))["clients"] == [10, last - 100]
    assert (await series(grain="DAY"))["clients"][:2] == [10, 112]
    looks = "SELECT count(*) FROM access_log_entries WHERE 'Query.partnerMetrics' = ANY (fields) AND partner_ids = ARRAY[$1::bigint]"
    assert await owner.fetchval(looks, backend.partners[0]) == 4
    own = Principal(kind="partner", permissions=ROLES["PARTNER_OWNER"][1], partner_id=backend.partners[0])
    assert (await series(own))["clients"] == [10, last]
    stranger = Principal(kind="partner", permissions=ROLES["PARTNER_OWNER"][1], partner_id=backend.partners[1])
    hidden = await run(SERIES, stranger, **asked, aggregate="LAST")
    assert hidden["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    backwards = await run(SERIES, **{**asked, "until": asked["since"], "aggregate": "LAST"})
    assert backwards["errors"][0]["extensions"]["code"] == "INVALID_VALUE"
    bad = await run('{ partnerActivities { nodes { volume(metric: "a b") } } }')
    assert bad["errors"][0]["extensions"]["code"] == "INVALID_POINT"


async def test_old_values_are_let_go(backend: Backend, owner: asyncpg.Connection) -> None:
    await backend.send(backend.point("clients", 1))
    clock.travel(clock.now() + timedelta(days=get_settings().metric_retention_days - 1))
    for left in (1, 0):
        async with transaction() as session:
            await retention.expire_metrics(session)
        assert await owner.fetchval("SELECT count(*) FROM partner_metrics") == left
        clock.travel(clock.now() + timedelta(days=2))
