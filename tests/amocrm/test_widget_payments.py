"""Widgets buy coins and pay bills that wait, at a rate (INS-5)."""

from __future__ import annotations

from decimal import Decimal

import asyncpg
import pytest

from core.database import transaction
from core.settings import get_settings
from services.catalog import packages
from tests.amocrm.conftest import DOMAIN, Crm
from tests.amocrm.test_widget import get, post
from tests.factories.world import STAFF, a_product


async def a_package(product: int | None, name: str, price: int) -> int:
    values = packages.PackageValues(name=name, coins=Decimal(500), price=Decimal(price))
    async with transaction() as session:
        return (await packages.create(session, STAFF, product_id=product, currency="RUB", values=values)).id


async def test_packages_on_sale_are_bought(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    for_all = await a_package(None, "For all", 400)
    ours = await a_package(crm.product, "Ours", 300)
    foreign = await a_package((await a_product()).product.id, "Another's", 200)
    offered = (await get(crm, await crm.token(), "packages")).json()["packages"]
    assert [(found["packageId"], found["coins"], found["price"]) for found in offered] == [
        (str(ours), "500.000", "300.00"),
        (str(for_all), "500.000", "400.00"),
    ]
    early = await post(crm, await crm.token(), "coins", {"packageId": ours})
    assert (early.status_code, early.json()["error"]["message"]) == (
        404,
        "there is no wallet; activate the widget first",
    )
    await post(crm, await crm.token(), "activate", {})
    bought = await post(crm, await crm.token(), "coins", {"packageId": ours})
    assert bought.status_code == 201, bought.text
    assert bought.json()["total"] == "300.00"
    assert bought.json()["paymentLink"].startswith("http")
    assert await owner.fetchval("SELECT kind FROM invoices") == "COIN_PURCHASE"
    refused = await post(crm, await crm.token(), "coins", {"packageId": foreign})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "PACKAGE_NOT_OFFERED")
    looking = await post(crm, await crm.token(is_admin=False), "coins", {"packageId": ours})
    assert looking.status_code == 403


async def test_a_bill_that_waits_is_paid(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    await crm.install("other.kommo.com")
    await post(crm, await crm.token(), "activate", {})
    ordered = (await post(crm, await crm.token(), "orders", {"planId": crm.plan})).json()
    wanted = {"invoiceNumber": ordered["invoiceNumber"]}
    same = await post(crm, await crm.token(), "payments", wanted)
    assert (same.status_code, same.json()) == (200, ordered)
    await owner.execute("UPDATE payments SET status = 'CANCELED'")
    fresh = await post(crm, await crm.token(), "payments", wanted)
    assert fresh.status_code == 200, fresh.text
    assert fresh.json()["paymentLink"] not in (None, ordered["paymentLink"])
    # Bills of other accounts are not there; people who are no administrators cannot pay.
    elsewhere = await post(crm, await crm.token("other.kommo.com"), "payments", wanted)
    assert (elsewhere.status_code, elsewhere.json()["error"]["field"]) == (404, "invoiceNumber")
    looking = await post(crm, await crm.token(is_admin=False), "payments", wanted)
    assert looking.status_code == 403


async def test_too_many_requests_are_refused_with_a_time(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    await crm.install()
    await crm.install("other.kommo.com")
    monkeypatch.setattr(get_settings(), "widget_requests_per_minute", 6)
    origin = {"Origin": f"https://{DOMAIN}"}
    answers = [await get(crm, await crm.token(), **origin) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[-1].json()["error"]["code"] == "RATE_LIMITED"
    assert int(answers[-1].headers["retry-after"]) > 0
    assert "Retry-After" in answers[-1].headers["access-control-expose-headers"]
    assert (await get(crm, await crm.token("other.kommo.com"))).status_code == 200
