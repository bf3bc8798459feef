"""Ends are announced 7, 3 and 1 days before, each once, and late ones only by the nearest (SUB-4)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from core import clock
from core.database import transaction
from core.principal import Principal
from core.settings import Settings, get_settings
from services import billing
from tests.billing.renewing import A_MINUTE, DAY, END, START, night, subscribe


async def notices(owner: Any) -> list[int]:
    return [row["days_before"] for row in await owner.fetch("SELECT days_before FROM subscription_notices ORDER BY id")]


async def told(owner: Any) -> list[dict[str, Any]]:
    rows = await owner.fetch("SELECT payload FROM product_events WHERE type = 'subscription.ending' ORDER BY sequence")
    return [orjson.loads(row["payload"])["data"] for row in rows]


async def test_each_notice_is_sent_once_on_its_day(owner: Any, world: Any, staff: Principal) -> None:
    key = await subscribe(owner, world, staff)
    await owner.execute("UPDATE subscriptions SET auto_renew = false")
    days = []
    for hour in range(0, 24 * 10, 6):
        moment = END - 10 * DAY + timedelta(hours=hour) + A_MINUTE
        before = len(await notices(owner))
        await night(owner, moment)
        if len(await notices(owner)) > before:
            days.append((END - moment + A_MINUTE).days)
    assert days == [7, 3, 1]
    assert await notices(owner) == [7, 3, 1]
    first = (await told(owner))[0]
    assert first == {
        "subscriptionId": str(key),
        "status": "ACTIVE",
        "seats": "3",
        "activeUntil": "2027-02-28T09:00:00.000000+00:00",
        "daysLeft": 7,
        "renewal": "INVOICE",
        "invoiceNumber": "2027-000002",
        "total": "300.00",
        "currency": "RUB",
    }
    assert datetime.fromisoformat(first["activeUntil"]) == END


async def test_after_an_outage_only_the_nearest_is_sent(owner: Any, world: Any, staff: Principal) -> None:
    await subscribe(owner, world, staff)
    await night(owner, END - 2 * DAY)
    await night(owner, END - 2 * DAY + A_MINUTE)
    assert await notices(owner) == [3]
    assert [data["renewal"] for data in await told(owner)] == ["CARD"]


async def test_many_runs_at_once_tell_once(owner: Any, world: Any, staff: Principal) -> None:
    await subscribe(owner, world, staff)
    clock.travel(END - DAY)

    async def run() -> None:
        async with transaction() as session:
            await billing.notify_ending(session)

    await asyncio.gather(*[run() for _ in range(8)])
    await run()
    assert len(await told(owner)) == 1


async def test_a_short_trial_hears_of_its_last_day_only(owner: Any, world: Any) -> None:
    await owner.execute(
        """
        INSERT INTO subscriptions (partner_id, install_id, product_id, term, status, seats, unit_price, currency,
            starts_at, ends_at, anchor_day)
        VALUES ($1, $2, (SELECT product_id FROM installs WHERE id = $2), 'MONTH', 'TRIAL', 5, 0, 'RUB', $3, $4, 1)
        """,
        world.partner,
        world.install,
        START,
        START + 3 * DAY,
    )
    for hour in range(0, 80, 4):
        await night(owner, START + timedelta(hours=hour) + A_MINUTE)
    assert await notices(owner) == [1]
    assert [data["renewal"] for data in await told(owner)] == ["NONE"]


async def test_a_later_end_is_announced_anew_and_a_pause_is_silent(owner: Any, world: Any, staff: Principal) -> None:
    await subscribe(owner, world, staff)
    await night(owner, END - 3 * DAY)
    await owner.execute("UPDATE subscriptions SET ends_at = $1", END + 2 * DAY)
    await night(owner, END - 2 * DAY)
    assert await notices(owner) == [3, 7]
    await owner.execute("UPDATE subscriptions SET paused_at = $1", START)
    await night(owner, END + DAY + A_MINUTE)
    assert await notices(owner) == [3, 7]


@pytest.mark.parametrize("days", ["1,3", "0", "3,3", "soon"])
def test_wrong_days_are_refused_at_the_start(days: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONTORA_NOTICE_DAYS", days)
    with pytest.raises(ValueError, match="notice_days"):
        Settings()
    monkeypatch.setenv("KONTORA_NOTICE_DAYS", "")
    assert Settings().notice_days == ()
    get_settings.cache_clear()
