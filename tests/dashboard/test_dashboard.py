"""The dashboard's figures against a plain count, and the whole page in one request (ANA-1)."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from core import clock
from core.database import transaction
from core.principal import Principal
from policies.roles import ROLES
from services import demo
from tests.api import payload, run

FIGURES = """
{ dashboard { products partners activeInstalls trials pastDue ending unpaid overdue
  owed { amount currency } mrr { amount currency } mrrConverted { amount currency } missingRates } }
"""
SET_RATE = """
mutation($input: CurrencyRateSetInput!) { currencyRateSet(input: $input) {
  currencyRate { currency rate } userErrors { code field } } }
"""
PAGE = """
query($now: DateTime!, $soon: DateTime!) {
  dashboard { products partners activeInstalls mrr { amount currency } }
  installs(first: 5) { nodes { id partner { name } product { name } createdAt } }
  invoices(first: 5, filter: { status: [PENDING, ACTION_REQUIRED] }) { nodes { id number total { amount currency } createdAt partner { name } } }
  subscriptions(first: 5, filter: { status: [TRIAL, ACTIVE], endsFrom: $now, endsBefore: $soon }, orderBy: { field: ENDS_AT, direction: ASC }) {
    nodes { id endsAt plan { name } install { product { name } partner { name } } } }
}
"""


@pytest.fixture
async def world(owner: asyncpg.Connection) -> asyncpg.Connection:
    """The demo world, its rows shaken into many states and currencies."""
    async with transaction() as session:
        await demo.seed(session, password="correct horse battery")
    dice = random.Random(7)
    now = clock.now()
    for row in await owner.fetch("SELECT id, starts_at FROM subscriptions"):
        await owner.execute(
            "UPDATE subscriptions SET currency = $2, ends_at = $3, status = 'ACTIVE', seats = $4, unit_price = $5 WHERE id = $1",
            row["id"],
            dice.choice(["RUB", "USD"]),
            max(now, row["starts_at"]) + timedelta(days=dice.choice([1, 3, 30])),
            dice.randint(1, 9),
            Decimal(dice.randint(1, 99_999)) / 100,
        )
    await owner.execute("UPDATE subscriptions SET paused_at = now() WHERE id = (SELECT max(id) FROM subscriptions)")
    await owner.execute(
        "UPDATE invoices SET due_at = now() - interval '1 day' WHERE id = (SELECT max(id) FROM invoices)"
    )
    return owner


async def counted(owner: asyncpg.Connection) -> dict[str, Any]:
    """The same by counting rows one by one."""
    now = clock.now()
    subscriptions = await owner.fetch(
        "SELECT s.*, p.pricing_model FROM subscriptions s LEFT JOIN plans p ON p.id = s.plan_id"
    )
    live = [one for one in subscriptions if one["paused_at"] is None]
    mrr: dict[str, Decimal] = {}
    for one in live:
        if one["status"] == "ACTIVE":
            units = 1 if one["pricing_model"] == "FLAT" else one["seats"]
            mrr[one["currency"]] = mrr.get(one["currency"], Decimal(0)) + one["unit_price"] * units
    invoices = [
        one for one in await owner.fetch("SELECT * FROM invoices") if one["status"] in ("PENDING", "ACTION_REQUIRED")
    ]
    installs = await owner.fetch("SELECT status FROM installs")
    return {
        "products": await owner.fetchval("SELECT count(*) FROM products"),
        "partners": await owner.fetchval("SELECT count(*) FROM partners"),
        "activeInstalls": sum(one["status"] == "ACTIVATED" for one in installs),
        "trials": sum(one["status"] == "TRIAL" for one in subscriptions),
        "pastDue": 0,
        "ending": sum(now <= one["ends_at"] < now + timedelta(days=7) for one in live),
        "unpaid": len(invoices),
        "overdue": sum(one["due_at"] < now for one in invoices),
        "owed": [{"amount": f"{sum(one['total'] for one in invoices):.2f}", "currency": "RUB"}],
        "mrr": [{"amount": f"{mrr[currency]:.2f}", "currency": currency} for currency in sorted(mrr)],
    }


async def test_figures_are_what_counting_gives(world: asyncpg.Connection) -> None:
    told = await payload(FIGURES)
    expected = await counted(world)
    assert {name: told[name] for name in expected} == expected
    assert len(told["mrr"]) == 2
    assert (told["mrrConverted"], told["missingRates"]) == (None, ["USD"])


async def test_revenue_is_converted_by_the_rate_that_holds(world: asyncpg.Connection) -> None:
    for rate, days in (("90", -2), ("100.1235", -1), ("120", 1)):
        moment = (clock.now() + timedelta(days=days)).isoformat()
        asked = {"currency": "USD", "rate": rate, "validFrom": moment, "source": "Bank of Russia"}
        assert (await payload(SET_RATE, input=asked))["userErrors"] == []
    mrr = {one["currency"]: Decimal(one["amount"]) for one in (await payload(FIGURES))["mrr"]}
    whole = mrr["RUB"] + (mrr["USD"] * Decimal("100.1235")).quantize(Decimal("0.01"))
    assert (await payload(FIGURES))["mrrConverted"] == {"amount": f"{whole:.2f}", "currency": "RUB"}


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"currency": "RUB"}, "CONFLICT", "currency"),
        ({"currency": "usd"}, "INVALID_VALUE", "currency"),
        ({"rate": "0"}, "INVALID_AMOUNT", "rate"),
        ({"rate": "0.00001"}, "INVALID_AMOUNT", "rate"),
        ({"source": ""}, "INVALID_VALUE", "source"),
    ],
)
async def test_rates_are_checked(database_url: str, values: dict[str, str], code: str, field: str) -> None:
    made = await payload(SET_RATE, input={"currency": "USD", "rate": "90", "source": "x", **values})
    assert made["userErrors"] == [{"code": code, "field": ["input", field]}]


async def test_the_whole_page_is_one_request(world: asyncpg.Connection) -> None:
    now = clock.now()
    answer = await run(PAGE, now=now.isoformat(), soon=(now + timedelta(days=7)).isoformat())
    assert answer["errors"] == []
    assert len(answer["data"]["installs"]["nodes"]) == 5
    assert answer["data"]["subscriptions"]["nodes"]


async def test_partners_and_developers_see_no_figures(world: asyncpg.Connection) -> None:
    for role in ("DEVELOPER", "PARTNER_OWNER"):
        kind: Any = "partner" if role == "PARTNER_OWNER" else "staff"
        who = Principal(kind=kind, partner_id=1 if kind == "partner" else None, permissions=ROLES[role][1])
        assert (await run(FIGURES, who))["errors"], role
    assert (await payload(FIGURES, Principal(kind="staff", permissions=ROLES["SALES"][1])))["partners"] == 4
