"""Two hands at one subscription at the same moment: one of each, nothing lost, no deadlock."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import asyncpg
import pytest

from core import clock
from core.database import transaction
from core.errors import Conflict
from domain.subscription_actions import CancelWhen
from models import Subscription
from services import billing
from tests.billing import test_renewals as renewals
from tests.billing.conftest import STAFF
from tests.billing.subscribed import Subscribed, a_plan, change, pay, row, subscribe


async def version_of(made: Subscribed) -> int:
    async with transaction() as session:
        return (await session.get_one(Subscription, made.subscription)).version


async def at_once(*work: Any) -> list[str]:
    """What became of each: a code of refusal, or ``done``; anything unexpected is raised."""
    results = await asyncio.wait_for(asyncio.gather(*work, return_exceptions=True), 30)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Conflict):
            raise result
    return [result.code if isinstance(result, Conflict) else "done" for result in results]


async def test_one_of_many_who_read_the_same_version_changes_it(world: Any, owner: asyncpg.Connection) -> None:
    made = await subscribe(world)
    version = await version_of(made)

    async def add(seats: int) -> None:
        async with transaction() as session:
            await billing.add_seats(session, STAFF, subscription_id=made.subscription, version=version, seats=seats)

    results = await at_once(*(add(seats) for seats in range(6, 14)))
    assert sorted(results) == ["VERSION_CONFLICT"] * 7 + ["done"]
    assert await owner.fetchval("SELECT count(*) FROM invoices WHERE kind = 'SEATS_UPGRADE'") == 1


async def test_an_order_is_paid_or_taken_back_never_both(world: Any, owner: asyncpg.Connection) -> None:
    made = await subscribe(world)
    seats = 5
    for _ in range(6):
        _, invoice, _ = await change(billing.add_seats, made, seats=seats + 1)
        results = await at_once(pay(invoice.id), change(billing.undo_change, made))
        found = await row(owner, "invoices", f"WHERE id = {invoice.id}")
        if found["status"] == "PAID":
            seats += 1
        assert (found["status"], results.count("done")) in (("PAID", 1), ("CANCELED", 1))
        assert (await row(owner))["seats"] == seats


async def test_a_paid_order_and_the_end_at_once(world: Any, owner: asyncpg.Connection) -> None:
    for _ in range(4):
        made = await subscribe(world)
        _, invoice, _ = await change(billing.add_seats, made, seats=6)
        results = await at_once(pay(invoice.id), change(billing.cancel_subscription, made, when=CancelWhen.NOW))
        status = (await row(owner, "invoices", f"WHERE id = {invoice.id}"))["status"]
        subscription = await row(owner)
        if status == "CANCELED":
            assert results == ["INVOICE_NOT_PAYABLE", "done"]
            assert (subscription["status"], subscription["seats"]) == ("CANCELED", 5)
        else:
            assert results in (["done", "VERSION_CONFLICT"], ["done", "done"])
            assert subscription["seats"] == 6
        await owner.execute("UPDATE subscriptions SET status = 'CANCELED'")


async def test_many_are_moved_while_people_change_them(world: Any, owner: asyncpg.Connection) -> None:
    made = await subscribe(world)
    async with owner.transaction():
        await owner.execute("UPDATE plans SET active = false")
        newest = await owner.fetchval(
            "INSERT INTO plans (product_id, name, version, min_seats) VALUES ($1, 'Basic', 2, 1) RETURNING id",
            world.product,
        )
        await owner.execute(
            "INSERT INTO plan_prices (plan_id, term, unit_price, currency) VALUES ($1, 'HALF_YEAR', 150, 'RUB')", newest
        )

    async def move() -> None:
        async with transaction() as session:
            await billing.move_many_to_newest(session, STAFF, plan_id=newest)

    results = await at_once(
        move(),
        change(billing.set_auto_renew, made, auto_renew=False),
        move(),
        change(billing.remove_seats, made, seats=4),
    )
    assert results[0] == results[2] == "done"
    subscription = await row(owner)
    assert subscription["pending_plan_id"] == newest
    assert subscription["version"] == 1 + results.count("done") - 1, (
        "each change counts once, and a second move is none"
    )


async def renewing(owner: asyncpg.Connection, world: Any, order: Any) -> tuple[int, int]:
    """A month of three seats with a stored card, an unpaid order, and the renewal about to be charged."""
    await renewals.subscribe(owner, world, STAFF)
    clock.travel(renewals.END - timedelta(days=1))
    made = Subscribed(world, await owner.fetchval("SELECT max(id) FROM subscriptions"))
    _, ordered, _ = await change(order, made)
    clock.travel(renewals.END + timedelta(seconds=1))
    async with transaction() as session:
        await billing.issue_due_renewals(session)
    renewal = await owner.fetchval("SELECT max(id) FROM invoices WHERE kind = 'RENEWAL'")
    return renewal, ordered.id


async def paid(owner: asyncpg.Connection, kind: str) -> list[asyncpg.Record]:
    return await owner.fetch("SELECT * FROM invoices WHERE kind = $1 AND status = 'PAID'", kind)


@pytest.mark.parametrize("head_start", [-0.03, -0.02, -0.01, 0.0, 0.01, 0.02])
async def test_seats_paid_while_the_renewal_is_charged(
    world: Any, owner: asyncpg.Connection, head_start: float
) -> None:
    async def later(work: Any, seconds: float) -> Any:
        await asyncio.sleep(max(seconds, 0))
        return await work

    renewal, upgrade = await renewing(owner, world, partial(billing.add_seats, seats=6))
    results = await at_once(later(billing.charge_invoice(renewal), -head_start), later(pay(upgrade), head_start))
    assert results == ["done", "done"]
    await renewals.night(owner, renewals.END + timedelta(minutes=1))
    assert len(await paid(owner, "SEATS_UPGRADE")) == 1
    (renewed,) = await paid(owner, "RENEWAL")
    subscription = await row(owner)
    assert (subscription["status"], subscription["seats"]) == ("ACTIVE", 6)
    assert subscription["ends_at"].date().isoformat() == "2027-03-31"
    uncovered = await owner.fetch("SELECT * FROM invoices WHERE kind = 'ONE_OFF'")
    assert renewed["total"] + sum(invoice["total"] for invoice in uncovered) == 600, "the next month's six seats"


@pytest.mark.parametrize("first", ["renewal", "change", "both"])
async def test_a_plan_paid_while_the_renewal_is_charged(world: Any, owner: asyncpg.Connection, first: str) -> None:
    big = await a_plan(world, "Big", "200")
    wanted = billing.Wanted(plan_id=big)
    renewal, order = await renewing(owner, world, partial(billing.change_plan_now, wanted=wanted))
    await owner.execute("UPDATE invoices SET status = 'CHARGING', next_charge_at = NULL WHERE id = $1", renewal)
    works = {"renewal": pay(renewal), "change": pay(order)}
    if first == "both":
        assert await at_once(*works.values()) == ["done", "done"]
    else:
        await works.pop(first)
        await next(iter(works.values()))
    subscription = await row(owner)
    assert (subscription["plan_id"], subscription["unit_price"], subscription["seats"]) == (big, 200, 3)
    # 600 for a month of the new plan from 27 February on, and the old renewal's 300 are half a month more of it.
    assert subscription["ends_at"].date().isoformat() in ("2027-04-11", "2027-04-12")
    (changed,) = await paid(owner, "PLAN_CHANGE")
    (renewed,) = await paid(owner, "RENEWAL")
    assert (renewed["total"], int(changed["total"])) == (300, 589)
    assert Decimal(870) < subscription["worth"] <= 900, "all but the day that was used"
