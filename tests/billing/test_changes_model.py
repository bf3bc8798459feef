"""Random changes of a subscription, run on the database and by a simple model of fractions (SUB-5, SUB-6)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import clock
from core.database import transaction
from core.errors import UserError
from domain.catalog import Term
from domain.subscription_actions import ChangeWhen
from models import Install, Partner, Subscription
from services import billing
from tests.billing.conftest import STAFF, World
from tests.billing.subscribed import STARTED, Subscribed, a_plan, change, pay

MICROSECOND = timedelta(microseconds=1)
_numbers = itertools.count(1)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 60 * 24 * 40)),
        st.tuples(st.just("seats"), st.integers(1, 5), st.integers(0, 3000)),
        st.tuples(st.just("plan"), st.integers(0, 2), st.sampled_from(Term), st.integers(2, 9), st.integers(0, 3000)),
        st.tuples(st.just("pause"), st.integers(1, 60 * 24 * 90)),
        st.tuples(st.just("extend"), st.integers(1, 6), st.integers(1, 500_000)),
    ),
    min_size=3,
    max_size=9,
)


@dataclass
class Model:
    """What the subscription should be, in exact fractions of money and time."""

    seats: int
    price: int
    start: datetime
    end: datetime
    worth: Fraction
    paid: Decimal

    def left(self, now: datetime) -> Fraction:
        """The unused part."""
        if now >= self.end:
            return Fraction(0)
        if now <= self.start:
            return self.worth
        return self.worth * ((self.end - now) // MICROSECOND) / ((self.end - self.start) // MICROSECOND)

    def add(self, amount: Decimal, now: datetime) -> None:
        """Money that pays for the time until the end."""
        self.worth, self.start = self.left(now) + Fraction(amount), min(now, self.end)
        self.paid += amount


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_changes_follow_the_model(world: Any, monkeypatch: pytest.MonkeyPatch, steps: list[Any]) -> None:
    now = STARTED
    monkeypatch.setattr(clock, "now", lambda: now)
    number = next(_numbers)
    plans = {100: world.plan}
    for price in (30, 250):
        plans[price] = await a_plan(world, f"Plan {number} {price}", str(price))
    made = await _subscribe(world)
    subscription = await _read(made)
    model = Model(5, 100, now, subscription.ends_at, Fraction(3000), Decimal(3000))
    for kind, *how in steps:
        if kind == "wait":
            now += timedelta(minutes=how[0])
        elif kind == "seats":
            now = await _add_seats(made, model, now, monkeypatch, *how)
        elif kind == "plan":
            now = await _change_plan(made, model, plans, now, monkeypatch, *how)
        elif kind == "pause" and now < model.end:
            await change(billing.pause_subscription, made)
            paused = now
            model.worth, model.start = model.left(now), now
            now += timedelta(minutes=how[0])
            monkeypatch.setattr(clock, "now", lambda now=now: now)
            await change(billing.resume_subscription, made)
            model.start, model.end = now, now + (model.end - paused)
        elif kind == "extend":
            months, kopecks = how
            amount = Decimal(kopecks) / 100
            try:
                changed, _ = await change(
                    billing.extend_subscription, made, by=billing.Extension(months=months), note="x", paid=amount
                )
            except UserError:
                continue
            model.add(amount, now)
            model.end = changed.ends_at
        monkeypatch.setattr(clock, "now", lambda now=now: now)
        await _compare(made, model, now)


async def _add_seats(
    made: Subscribed, model: Model, now: datetime, monkeypatch: pytest.MonkeyPatch, more: int, minutes: int
) -> datetime:
    wanted = model.seats + more
    try:
        async with transaction() as session:
            quote = await billing.preview_seats(session, STAFF, subscription_id=made.subscription, seats=wanted)
    except UserError:
        assert now >= model.end
        return now
    _, invoice, _ = await change(billing.add_seats, made, seats=wanted)
    assert invoice.total == quote.total, "the charge is what the preview said"
    assert quote.total == model.price * more * quote.months
    months_left = Fraction((model.end - now) // timedelta(days=1), 28) + 1
    assert 1 <= quote.months <= max(1, months_left)
    later = min(now + timedelta(minutes=minutes), max(now, model.end - timedelta(minutes=1)))
    monkeypatch.setattr(clock, "now", lambda: later)
    await pay(invoice.id)
    model.add(invoice.total, later)
    model.seats = wanted
    return later


async def _change_plan(
    made: Subscribed,
    model: Model,
    plans: dict[int, int],
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    which: int,
    term: Term,
    seats: int,
    minutes: int,
) -> datetime:
    price = sorted(plans)[which]
    wanted = billing.Wanted(plan_id=plans[price], term=term, seats=seats)
    try:
        async with transaction() as session:
            quote = await billing.preview_change(
                session, STAFF, subscription_id=made.subscription, wanted=wanted, when=ChangeWhen.NOW
            )
    except UserError:
        return now
    _, invoice, _ = await change(billing.change_plan_now, made, wanted=wanted)
    whole = Decimal(price * seats * term.months)
    assert invoice.total == quote.due == max(Decimal(0), whole - quote.credit) >= 0
    assert 0 <= model.left(now) - Fraction(quote.credit) < Fraction(1, 10)
    later = now
    if invoice.total:
        later += timedelta(minutes=minutes)
        monkeypatch.setattr(clock, "now", lambda: later)
        await pay(invoice.id)
    model.worth, model.start = model.left(now) + Fraction(invoice.total), now
    model.paid += invoice.total
    model.seats, model.price = seats, price
    subscription = await _read(made)
    months = Fraction(subscription.worth) / (price * seats)
    days = (subscription.ends_at - now) / timedelta(days=1)
    assert 28 * int(months) <= days <= 31 * (int(months) + 1), "the money buys the time that it pays for"
    model.end = subscription.ends_at
    return later


async def _compare(made: Subscribed, model: Model, now: datetime) -> None:
    subscription = await _read(made)
    assert (subscription.seats, subscription.unit_price) == (model.seats, model.price)
    assert subscription.ends_at == model.end
    assert abs(Fraction(subscription.worth) - model.worth) < Fraction(1, 10)
    assert subscription.worth <= model.paid, "no credit beyond what was paid"


async def _subscribe(world: World) -> Subscribed:
    async with transaction() as session:
        partner = Partner(name="Another")
        session.add(partner)
        await session.flush()
        install = Install(partner_id=partner.id, product_id=world.product)
        session.add(install)
        await session.flush()
        invoice, _ = await billing.create_subscription(
            session, STAFF, install_id=install.id, plan_id=world.plan, term=Term.HALF_YEAR, seats=5
        )
        await billing.mark_paid(session, STAFF, invoice_id=invoice.id, note="paid")
        assert invoice.subscription_id is not None
        return Subscribed(world, invoice.subscription_id)


async def _read(made: Subscribed) -> Subscription:
    async with transaction() as session:
        return await session.get_one(Subscription, made.subscription)
