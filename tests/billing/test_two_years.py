"""Two years of a subscription against a simple model: renewals, seats, plans, pauses, cards that fail, ends (SUB-4 to SUB-6).

Hypothesis chooses what happens and when; after each step the database must say what `two_years_model` says. Beginnings
are on the 29th to 31st, on leap days and at the borders of days in Moscow.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from core import clock
from core.database import transaction
from core.errors import UserError
from domain.catalog import Term
from domain.subscription_actions import CancelWhen
from gateways.sandbox.client import EMPTY_CARD, GOOD_CARD, LOST_CARD
from models import Install, Invoice, Partner, Subscription
from services import billing
from services.billing.cards import Card, forget_card, keep_card
from services.billing.verify import verify_billing
from tests.billing.conftest import STAFF, World
from tests.billing.renewing import A_MINUTE, run_messages
from tests.billing.subscribed import Subscribed, a_plan, change, pay
from tests.billing.two_years_model import DAY, MOSCOW, Model

TWO_YEARS = timedelta(days=731)
NIGHTS = (-7, 0, 1, 3, 5, 6, 8, 9)
STARTS = (
    datetime(2027, 1, 31, 9, 0, tzinfo=UTC),
    datetime(2027, 1, 29, 20, 30, tzinfo=UTC),
    datetime(2027, 1, 30, 21, 30, tzinfo=UTC),
    datetime(2028, 2, 29, 12, 0, tzinfo=UTC),
    datetime(2027, 3, 15, 23, 59, tzinfo=UTC),
    datetime(2027, 12, 31, 21, 0, tzinfo=UTC),
)
CARDS = st.sampled_from([GOOD_CARD, GOOD_CARD, EMPTY_CARD, LOST_CARD, None])
PRICES = (100, 30, 250)
# How long nothing happens: some time, or until a moment around the end, where most can go wrong.
AROUND = st.sampled_from([-3 * 24, -1, 12, 60]).map(lambda hours: ("end", timedelta(hours=hours)))
SOON = st.integers(0, 60 * 24 * 50).map(lambda minutes: ("now", timedelta(minutes=minutes))) | AROUND
STEP = st.one_of(
    st.tuples(st.just("card"), CARDS),
    st.tuples(st.just("auto"), st.booleans()),
    st.tuples(st.just("seats_up"), st.integers(1, 4), st.booleans()),
    st.tuples(st.just("seats_down"), st.integers(2, 4)),
    st.tuples(st.just("plan_now"), st.sampled_from(PRICES), st.sampled_from(Term), st.integers(2, 8)),
    st.tuples(st.just("plan_later"), st.sampled_from(PRICES), st.sampled_from(Term), st.integers(2, 8)),
    st.tuples(st.just("price"), st.integers(20, 200)),
    st.tuples(st.just("undo")),
    st.tuples(st.just("pause"), st.integers(1, 60 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))),
    st.tuples(st.just("pay")),
    st.tuples(st.just("pay"), st.just("again")),
    st.tuples(st.just("extend"), st.integers(1, 3)),
    st.tuples(st.just("end"), st.sampled_from(CancelWhen), st.booleans()),
)
STORIES = st.lists(st.tuples(SOON, STEP), min_size=6, max_size=16)
# What may be refused where nothing stands in the way of a change.
MAY_BE_REFUSED = frozenset(
    {
        "NOTHING_TO_CHANGE",
        "INVALID_SEATS",
        "CREDIT_TOO_LARGE",
        ("undo", "NOT_ALLOWED_NOW"),
        ("seats_up", "NOT_ALLOWED_NOW"),
        ("pay", "NOT_ALLOWED_NOW"),
    }
)
_numbers = itertools.count(1)


class Story:
    """A subscription, what it should be, and the clock of both."""

    def __init__(self, owner: asyncpg.Connection, made: Subscribed, model: Model, plans: dict[int, int]) -> None:
        self.owner, self.made, self.model, self.plans = owner, made, model, plans
        self.now = clock.now()

    async def wait(self, until: datetime) -> None:
        """Let time pass, with the schedule's runs around each end."""
        while True:
            coming = [self.model.end + day * DAY + A_MINUTE for day in NIGHTS]
            moments = [moment for moment in coming if self.now < moment <= until]
            if not moments or not self.model.lives:
                break
            await self.night(min(moments))
        self.now = max(self.now, until)

    async def night(self, moment: datetime) -> None:
        """What the schedule does, and what the model says of it."""
        self.now = moment.astimezone(UTC)
        for work in (billing.cancel_lapsed, billing.issue_due_renewals, billing.plan_due_charges):
            async with transaction() as session:
                await work(session)
        await run_messages(self.owner, "invoice.charge")
        async with transaction() as session:
            await billing.lapse_due(session)
        self.model.night(self.now)
        await self.compare()

    async def compare(self) -> None:
        """The database says what the model says."""
        async with transaction() as session:
            found = await session.get_one(Subscription, self.made.subscription)
        model = self.model
        assert (found.status, found.seats, found.unit_price, found.term) == (
            model.status, model.seats, model.price, model.term,
        )  # fmt: skip
        assert (found.ends_at, found.anchor_day) == (model.end, model.anchor)
        assert (found.cancel_at_period_end, found.paused_at) == (model.ends_with_period, model.paused_at)
        coming = {"seats": found.pending_seats, "price": found.pending_unit_price, "term": found.pending_term}
        assert {name: value for name, value in coming.items() if value is not None} == model.coming
        assert found.worth <= model.paid, "no credit beyond what was paid"

    async def waiting(self, *kinds: str) -> Invoice | None:
        """The unpaid bill of these kinds."""
        row = await self.owner.fetchval(
            "SELECT id FROM invoices WHERE subscription_id = $1 AND kind = ANY ($2) AND status IN ('PENDING', 'FAILED')",
            self.made.subscription,
            kinds,
        )
        if row is None:
            return None
        async with transaction() as session:
            return await session.get_one(Invoice, row)

    async def card(self, card: str | None) -> None:
        async with transaction() as session:
            found = await session.get_one(Subscription, self.made.subscription)
            forget_card(found)
            keep_card(found, None if card is None else Card(card, "sandbox"))
            await billing.plan_charge(session, found)
        self.model.card = card
        self.model.plan_charge(self.now)

    async def auto(self, auto: bool) -> None:
        await change(billing.set_auto_renew, self.made, auto_renew=auto)
        self.model.auto = auto
        self.model.plan_charge(self.now)

    async def seats_up(self, more: int, paid: bool) -> None:
        wanted = self.model.seats + more
        _, invoice, _ = await change(billing.add_seats, self.made, seats=wanted)
        assert invoice.total == self.model.months_left(self.now) * more * self.model.price
        if not paid:
            self.model.order_waits = True
            return
        await pay(invoice.id)
        self.model.paid += invoice.total
        self.model.seats, self.model.bill = wanted, None

    async def seats_down(self, seats: int) -> None:
        await change(billing.remove_seats, self.made, seats=seats)
        self.model.coming["seats"], self.model.bill = seats, None

    async def plan_now(self, price: int, term: Term, seats: int) -> None:
        wanted = billing.Wanted(plan_id=self.plans[price], term=term, seats=seats)
        ended = self.model.end
        _, invoice, _ = await change(billing.change_plan_now, self.made, wanted=wanted)
        if invoice.total:
            await pay(invoice.id)
        async with transaction() as session:
            found = await session.get_one(Subscription, self.made.subscription)
        model = self.model
        months = found.worth / (model.change_plan(price, term, seats, now=True) * seats)
        days = (found.ends_at - self.now) / DAY
        assert term.months <= months, "at least the term is paid for"
        assert 28 * int(months) <= days <= 31 * (int(months) + 1), "the money buys the time that it pays for"
        assert found.ends_at != ended or months > 0
        model.paid += invoice.total
        model.move_end(found.ends_at)

    async def plan_later(self, price: int, term: Term, seats: int) -> None:
        wanted = billing.Wanted(plan_id=self.plans[price], term=term, seats=seats)
        await change(billing.change_plan_at_renewal, self.made, wanted=wanted)
        self.model.change_plan(price, term, seats, now=False)

    async def price(self, price: int) -> None:
        await change(billing.set_price, self.made, unit_price=Decimal(price))
        as_is = "term" not in self.model.coming and price == self.model.price
        self.model.coming = {name: value for name, value in self.model.coming.items() if name != "price"}
        if not as_is:
            self.model.coming["price"] = price
        self.model.bill = None

    async def undo(self) -> None:
        await change(billing.undo_change, self.made)
        if self.model.coming:
            self.model.bill = None
        self.model.keep_plan()
        self.model.order_waits = False

    async def pause(self, length: timedelta) -> None:
        await change(billing.pause_subscription, self.made)
        self.model.paused_at, self.model.bill = self.now, None
        await self.compare()
        for day in (1, 400):
            before, self.now = self.now, self.now + day * DAY
            async with transaction() as session:
                assert await billing.issue_due_renewals(session) == await billing.lapse_due(session) == 0
            self.now = before
        left = self.model.end - self.now
        self.now += length
        await change(billing.resume_subscription, self.made)
        self.model.paused_at = None
        self.model.move_end(self.now + left)

    async def pay(self, again: str = "") -> None:
        bill = await self.waiting("RENEWAL")
        if bill is None and again and self.model.plain(self.now):
            await change(billing.bill_renewal, self.made)
            bill = await self.waiting("RENEWAL")
        if bill is None or not self.model.lives:
            return
        assert bill.total == self.model.renewal_costs()
        await pay(bill.id)
        self.model.renew()

    async def extend(self, months: int) -> None:
        await change(billing.extend_subscription, self.made, by=billing.Extension(months=months), note="a gift")
        self.model.end = self.model.border(months)
        self.model.bill, self.model.status, self.model.overdue_since = None, "ACTIVE", None

    async def end(self, when: CancelWhen, undo: bool) -> None:
        await change(billing.cancel_subscription, self.made, when=when)
        self.model.keep_plan()
        self.model.bill, self.model.order_waits = None, False
        if when == CancelWhen.NOW:
            self.model.status, self.model.ends_with_period = "CANCELED", False
            return
        self.model.ends_with_period = True
        if undo:
            await change(billing.undo_cancel, self.made)
            self.model.ends_with_period = False


# A failing story is told as it is: shrinking one would take longer than the whole suite may.
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# An individual price outlasts a change that takes the same plan and term.
@example(
    start=STARTS[3],
    steps=[
        (("end", timedelta(hours=-1)), ("price", 119)),
        (("now", timedelta(minutes=449)), ("pay", "again")),
        (("end", timedelta(hours=-72)), ("plan_later", 100, Term.MONTH, 6)),
        (("now", timedelta(0)), ("plan_now", 100, Term.MONTH, 7)),
        (("now", timedelta(minutes=1)), ("plan_later", 30, Term.YEAR, 7)),
        (("now", timedelta(minutes=1)), ("plan_later", 30, Term.YEAR, 6)),
    ],
)
@given(start=st.sampled_from(STARTS), steps=STORIES)
async def test_two_years_are_what_the_model_says(
    owner: asyncpg.Connection, world: Any, monkeypatch: pytest.MonkeyPatch, start: datetime, steps: list[Any]
) -> None:
    monkeypatch.setattr(clock, "now", lambda: start)
    story = await _begin(owner, world)
    monkeypatch.setattr(clock, "now", lambda: story.now)
    for pause, (verb, *how) in steps:
        since, length = pause
        until = (story.now if since == "now" else story.model.end) + length
        await story.wait(min(max(until, story.now), start + TWO_YEARS))
        if not story.model.lives:
            break
        act: Callable[..., Awaitable[None]] = getattr(story, verb)
        before = replace(story.model, coming=dict(story.model.coming))
        refused = await _refused(act(*how))
        if refused is not None:
            assert story.model == before, "what is refused changes nothing"
            assert not before.plain(story.now) or refused in MAY_BE_REFUSED or (verb, refused) in MAY_BE_REFUSED
        await story.compare()
    await story.wait(start + TWO_YEARS)
    async with transaction() as session:
        assert await verify_billing(session) == []
    paid = await owner.fetchval(
        "SELECT sum(total) FROM invoices WHERE subscription_id = $1 AND status = 'PAID'", story.made.subscription
    )
    assert paid == story.model.paid
    # The next example's nights leave this one alone.
    await owner.execute("UPDATE subscriptions SET status = 'EXPIRED', paused_at = NULL")
    await owner.execute("UPDATE installs SET subscription_kind = 'NONE', subscribed_until = NULL")


async def _refused(act: Awaitable[None]) -> str | None:
    """The code of the refusal; None where it was done."""
    try:
        await act
    except UserError as error:
        return error.code
    return None


async def _begin(owner: asyncpg.Connection, world: World) -> Story:
    number = next(_numbers)
    plans = {PRICES[0]: world.plan}
    for price in PRICES[1:]:
        plans[price] = await a_plan(world, f"Plan {number} {price}", str(price), least=2)
    async with transaction() as session:
        partner = Partner(name=f"Partner {number}")
        session.add(partner)
        await session.flush()
        install = Install(partner_id=partner.id, product_id=world.product)
        session.add(install)
        await session.flush()
        invoice, _ = await billing.create_subscription(
            session, STAFF, install_id=install.id, plan_id=world.plan, term=Term.MONTH, seats=5
        )
        await billing.mark_paid(session, STAFF, invoice_id=invoice.id, note="paid")
        assert invoice.subscription_id is not None
        made = Subscribed(world, invoice.subscription_id)
        found = await session.get_one(Subscription, made.subscription)
        end = found.ends_at
    start = clock.now().astimezone(MOSCOW)
    model = Model("ACTIVE", 5, 100, Term.MONTH, start, start.day, None, paid=Decimal(500))
    model.end = model.border(1)
    assert end == model.end
    story = Story(owner, made, model, plans)
    await story.card(GOOD_CARD)
    return story
