"""What people change about a subscription: seats, plan, price, pause, end (SUB-5 to SUB-7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core import clock
from core.database import transaction
from core.errors import Conflict, Forbidden, NotFound
from core.principal import Principal
from domain.catalog import PricingModel, Term
from domain.fields import InvalidAmount, InvalidValue
from domain.subscription_actions import CancelWhen, ChangeWhen
from models import Subscription
from services import billing
from services.billing.plan_change import CreditExceedsPrice
from services.billing.seats import NothingToChange
from services.billing.standing import NotAllowedNow
from services.billing.subscriptions import AlreadySubscribed, InvalidSeats, PlanNotOffered
from tests.billing.conftest import STAFF
from tests.billing.subscribed import STARTED, a_plan, actions, change, pay, row, subscribe, told

MIDDLE_OF_MARCH = datetime(2027, 3, 15, 12, 0, tzinfo=UTC)
END = datetime(2027, 7, 31, 9, 0, tzinfo=UTC)


async def test_seats_are_added_when_they_are_paid(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    clock.travel(MIDDLE_OF_MARCH)
    async with transaction(made.partner_owner) as session:
        quote = await billing.preview_seats(session, made.partner_owner, subscription_id=made.subscription, seats=8)
    _, invoice, payment = await change(billing.add_seats, made, made.partner_owner, seats=8)
    # 15 March to 31 July: four whole months; 4 × 3 seats × 100.
    assert (quote.months, quote.total, invoice.total, payment.amount) == (4, 1200, 1200, 1200)
    assert (await row(owner))["seats"] == 5
    await pay(invoice.id)
    subscription = await row(owner)
    assert (subscription["seats"], subscription["ends_at"].date()) == (8, END.date())
    assert await actions(owner) == ["activate", "order_seats", "add_seats"]
    assert await told(owner) == ["subscription.changed"]
    log = await row(owner, "subscription_changes")
    assert '"seats": "5"' in log["before"]
    assert '"seats": "8"' in log["after"]


async def test_in_the_last_month_one_month_is_billed(world: Any) -> None:
    made = await subscribe(world, term=Term.MONTH)
    clock.travel(datetime(2027, 2, 27, tzinfo=UTC))
    _, invoice, _ = await change(billing.add_seats, made, seats=6)
    assert invoice.total == 100


async def test_one_order_at_a_time_and_it_can_be_taken_back(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    _, invoice, _ = await change(billing.add_seats, made, seats=6)
    plan = await a_plan(world, "Big", "200")
    for verb, arguments in (
        (billing.add_seats, {"seats": 7}),
        (billing.remove_seats, {"seats": 4}),
        (billing.change_plan_now, {"wanted": billing.Wanted(plan_id=plan)}),
        (billing.pause_subscription, {}),
    ):
        with pytest.raises(NotAllowedNow, match=invoice.number):
            await change(verb, made, **arguments)
    await change(billing.undo_change, made, made.partner_owner)
    assert (await row(owner, "invoices", f"WHERE id = {invoice.id}"))["status"] == "CANCELED"
    _, again, _ = await change(billing.add_seats, made, seats=7)
    assert again.total == 1000, "five whole months are left from the second moment on"


async def test_an_order_that_nobody_pays_lapses_with_the_period(world: Any, owner: Any) -> None:
    made = await subscribe(world, term=Term.MONTH)
    _, invoice, _ = await change(billing.add_seats, made, seats=6)

    async def lapse() -> int:
        async with transaction() as session:
            return await billing.cancel_lapsed(session)

    assert await lapse() == 0
    clock.travel(datetime(2027, 2, 28, 9, 1, tzinfo=UTC))
    assert await lapse() == 1
    assert (await row(owner, "invoices", f"WHERE id = {invoice.id}"))["status"] == "CANCELED"
    assert await lapse() == 0


async def test_seats_of_a_trial_and_of_a_flat_plan_cost_nothing(world: Any, owner: Any) -> None:
    flat = await a_plan(world, "Flat", "700", model=PricingModel.FLAT)
    made = await subscribe(type(world)(world.partner, world.product, world.install, flat))
    _, invoice, payment = await change(billing.add_seats, made, seats=50)
    assert (invoice, payment, (await row(owner))["seats"]) == (None, None, 50)
    await owner.execute("UPDATE subscriptions SET status = 'TRIAL', plan_id = NULL")
    await change(billing.add_seats, made, seats=60)
    assert (await row(owner))["seats"] == 60


async def test_fewer_seats_wait_for_the_renewal_and_can_be_undone(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    for seats in (1, 5, 9):
        with pytest.raises(InvalidSeats):
            await change(billing.remove_seats, made, seats=seats)
    await change(billing.remove_seats, made, made.partner_owner, seats=3)
    subscription = await row(owner)
    assert (subscription["seats"], subscription["pending_seats"]) == (5, 3)
    with pytest.raises(NotAllowedNow, match="become 3"):
        await change(billing.add_seats, made, seats=9)
    await change(billing.undo_change, made)
    assert (await row(owner))["pending_seats"] is None
    with pytest.raises(NotAllowedNow, match="no change waits"):
        await change(billing.undo_change, made)


@pytest.mark.parametrize("seats", [5, 4, 0, -1, 100_001, 2**40])
async def test_bad_numbers_of_seats_write_nothing(world: Any, owner: Any, seats: int) -> None:
    made = await subscribe(world)
    with pytest.raises((InvalidSeats, NothingToChange)):
        await change(billing.add_seats, made, seats=seats)
    assert await owner.fetchval("SELECT count(*) FROM invoices") == 1


async def test_another_plan_now_costs_the_difference(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    plan = await a_plan(world, "Big", "200")
    clock.travel(STARTED + (END - STARTED) / 2)
    wanted = billing.Wanted(plan_id=plan, term=Term.YEAR)
    async with transaction(made.partner_owner) as session:
        quote = await billing.preview_change(
            session, made.partner_owner, subscription_id=made.subscription, wanted=wanted, when=ChangeWhen.NOW
        )
    assert (quote.new.total, quote.credit, quote.due) == (12000, Decimal("1500.00"), 10500)
    ordered = clock.now()
    _, invoice, _ = await change(billing.change_plan_now, made, made.partner_owner, wanted=wanted)
    assert abs(invoice.total - quote.due) < Decimal("0.05"), "the clock ticks between preview and order"
    lines = await owner.fetch("SELECT amount FROM invoice_lines WHERE invoice_id = $1 ORDER BY position", invoice.id)
    assert lines[0]["amount"] == 12000
    assert lines[0]["amount"] + lines[1]["amount"] == invoice.total
    clock.travel(ordered + timedelta(days=2))
    await pay(invoice.id)
    subscription = await row(owner)
    assert (subscription["plan_id"], subscription["term"], subscription["unit_price"]) == (plan, "YEAR", 200)
    assert abs(subscription["starts_at"] - ordered) < timedelta(seconds=5)
    assert subscription["ends_at"].date().isoformat() == "2028-05-01"
    assert subscription["worth"] == 12000
    install = await row(owner, "installs")
    assert install["subscribed_until"] == subscription["ends_at"]


async def test_a_credit_beyond_the_price_changes_at_once_and_buys_time(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    small = await a_plan(world, "Small", "10")
    subscription, invoice, payment = await change(
        billing.change_plan_now, made, wanted=billing.Wanted(plan_id=small, term=Term.MONTH)
    )
    assert (payment, invoice.total, invoice.status) == (None, 0, "PAID")
    # All but some kopecks of 3,000 are left, and a month costs 50: nearly sixty months.
    assert subscription.plan_id == small
    assert subscription.ends_at.date().isoformat() in ("2032-01-30", "2032-01-31")
    assert Decimal("2999") < subscription.worth <= 3000
    tiny = await a_plan(world, "Tiny", "1")
    with pytest.raises(CreditExceedsPrice):
        await change(billing.change_plan_now, made, wanted=billing.Wanted(plan_id=tiny))


async def test_going_to_and_fro_makes_no_credit(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    small = await a_plan(world, "Small", "50")
    clock.travel(MIDDLE_OF_MARCH)
    ends = []
    for plan in (small, world.plan, small, world.plan, small, world.plan):
        subscription, invoice, _ = await change(
            billing.change_plan_now, made, wanted=billing.Wanted(plan_id=plan, term=Term.MONTH)
        )
        assert invoice.total == 0
        ends.append(subscription.ends_at)
    paid = await owner.fetchval("SELECT sum(total) FROM invoices WHERE status = 'PAID'")
    assert subscription.worth <= paid
    assert ends[-1] - ends[1] < timedelta(seconds=30), "a begun day is whole once, not with every change"
    assert ends[1] - END < timedelta(days=3), "months are of unequal length"


async def test_a_change_at_the_renewal_waits_and_is_undone(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    plan = await a_plan(world, "Big", "200")
    await change(billing.remove_seats, made, seats=4)
    await change(billing.change_plan_at_renewal, made, made.partner_owner, wanted=billing.Wanted(plan_id=plan))
    subscription = await row(owner)
    waits = ("pending_plan_id", "pending_term", "pending_seats", "pending_unit_price")
    assert [subscription[name] for name in waits] == [plan, "HALF_YEAR", 4, 200]
    assert subscription["plan_id"] == world.plan
    await change(billing.undo_change, made)
    assert [(await row(owner))[name] for name in waits] == [None] * 4


@pytest.mark.parametrize("when", ChangeWhen)
async def test_plans_that_are_not_offered_are_refused(world: Any, owner: Any, when: ChangeWhen) -> None:
    made = await subscribe(world)
    verb = billing.change_plan_now if when == ChangeWhen.NOW else billing.change_plan_at_renewal
    closed = await a_plan(world, "Closed", "10")
    many = await a_plan(world, "Many", "10", least=50)
    foreign = await a_plan(world, "Foreign", "10")
    await owner.execute("UPDATE plans SET active = false WHERE id = $1", closed)
    await owner.execute("UPDATE plans SET currency = 'USD' WHERE id = $1", foreign)
    for plan, error in ((closed, PlanNotOffered), (many, InvalidSeats), (foreign, PlanNotOffered), (999, NotFound)):
        with pytest.raises(error):
            await change(verb, made, wanted=billing.Wanted(plan_id=plan))
    with pytest.raises(NothingToChange):
        await change(verb, made, wanted=billing.Wanted())
    with pytest.raises(Forbidden):
        await change(verb, made, made.partner_owner, wanted=billing.Wanted(unit_price=Decimal(1)))
    await owner.execute("UPDATE plans SET active = false WHERE id = $1", world.plan)
    await change(verb, made, wanted=billing.Wanted(term=Term.YEAR))


async def test_an_individual_price_comes_with_the_order_or_the_renewal(world: Any, owner: Any) -> None:
    made = await subscribe(world, unit_price=Decimal("79.90"))
    assert (await row(owner, "invoices"))["total"] == Decimal("2397.00")
    with pytest.raises(InvalidAmount):
        await change(billing.set_price, made, unit_price=Decimal("0.001"))
    with pytest.raises(NothingToChange):
        await change(billing.set_price, made, unit_price=Decimal("79.90"))
    await change(billing.set_price, made, unit_price=None)
    assert (await row(owner))["pending_unit_price"] == 100
    await change(billing.set_price, made, unit_price=Decimal("79.90"))
    assert (await row(owner))["pending_unit_price"] is None
    with pytest.raises(Forbidden):
        await change(billing.set_price, made, made.partner_owner, unit_price=Decimal(1))


async def test_the_end_with_the_period_is_undone(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    await change(billing.remove_seats, made, seats=4)
    await change(billing.cancel_subscription, made, made.partner_owner, when=CancelWhen.PERIOD_END, reason="too dear")
    subscription = await row(owner)
    assert (subscription["status"], subscription["cancel_at_period_end"]) == ("ACTIVE", True)
    assert subscription["pending_seats"] is None
    assert '"reason": "too dear"' in (await row(owner, "subscription_changes"))["after"]
    with pytest.raises(NotAllowedNow):
        await change(billing.cancel_subscription, made, when=CancelWhen.PERIOD_END)
    await change(billing.undo_cancel, made, made.partner_owner)
    assert (await row(owner))["cancel_at_period_end"] is False
    with pytest.raises(NotAllowedNow):
        await change(billing.undo_cancel, made)


async def test_the_end_at_once_is_for_staff_and_cuts_access(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    _, order, _ = await change(billing.add_seats, made, seats=6)
    with pytest.raises(Forbidden):
        await change(billing.cancel_subscription, made, made.partner_owner, when=CancelWhen.NOW)
    async with transaction() as session:
        quote = await billing.preview_cancel(session, STAFF, subscription_id=made.subscription, when=CancelWhen.NOW)
    assert Decimal("2999") < quote.unused <= 3000
    await change(billing.cancel_subscription, made, when=CancelWhen.NOW)
    install = await row(owner, "installs")
    assert (install["subscription_kind"], install["subscribed_until"]) == ("NONE", None)
    assert (await row(owner, "invoices", f"WHERE id = {order.id}"))["status"] == "CANCELED"
    assert (await told(owner))[-1] == "subscription.canceled"


async def test_a_pause_keeps_the_rest_of_the_period(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    clock.travel(MIDDLE_OF_MARCH)
    await change(billing.pause_subscription, made, reason="summer")
    assert (await row(owner, "installs"))["subscription_kind"] == "NONE"
    with pytest.raises(NotAllowedNow, match="paused"):
        await change(billing.add_seats, made, seats=9)
    worth = (await row(owner))["worth"]
    clock.travel(MIDDLE_OF_MARCH + timedelta(days=200))
    async with transaction() as session:
        quote = await billing.preview_cancel(session, STAFF, subscription_id=made.subscription, when=CancelWhen.NOW)
    assert quote.unused == worth, "nothing is used up while it is paused"
    await change(billing.resume_subscription, made)
    subscription = await row(owner)
    assert abs(subscription["ends_at"] - END - timedelta(days=200)) < timedelta(seconds=10)
    assert (subscription["paused_at"], subscription["worth"], subscription["anchor_day"]) == (None, worth, 16)
    assert (await row(owner, "installs"))["subscribed_until"] == subscription["ends_at"]
    assert await told(owner) == ["subscription.paused", "subscription.resumed"]
    with pytest.raises(Forbidden):
        await change(billing.pause_subscription, made, made.partner_owner)


async def test_an_extension_after_payment_outside(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    await owner.execute("UPDATE subscriptions SET status = 'PAST_DUE', past_due_at = now()")
    clock.travel(END + timedelta(days=2))
    _, invoice = await change(
        billing.extend_subscription, made,
        by=billing.Extension(months=6), note="transfer 17", paid=Decimal(3000),
    )  # fmt: skip
    subscription = await row(owner)
    assert (subscription["status"], subscription["ends_at"].date().isoformat()) == ("ACTIVE", "2028-01-31")
    assert (invoice.status, invoice.kind, invoice.total, invoice.settlement_note) == (
        "PAID",
        "ONE_OFF",
        3000,
        "transfer 17",
    )
    assert (subscription["worth"], subscription["worth_from"].date()) == (3000, END.date())
    assert '"reason": "transfer 17"' in (await row(owner, "subscription_changes"))["after"]
    assert (await row(owner, "installs"))["subscribed_until"] == subscription["ends_at"]


@pytest.mark.parametrize("status", ["CANCELED", "EXPIRED"])
async def test_an_ended_subscription_lives_again(world: Any, owner: Any, status: str) -> None:
    made = await subscribe(world)
    clock.travel(END + timedelta(days=40))
    await owner.execute("UPDATE subscriptions SET status = $1", status)
    until = END + timedelta(days=100)
    await change(billing.extend_subscription, made, by=billing.Extension(until=until), note="gift")
    subscription = await row(owner)
    assert (subscription["status"], subscription["ends_at"], subscription["worth"]) == ("ACTIVE", until, 0)
    assert subscription["anchor_day"] == 8
    assert (await row(owner, "installs"))["subscription_kind"] == "PAID"


async def test_an_ended_subscription_does_not_push_out_its_follower(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    await owner.execute("UPDATE subscriptions SET status = 'EXPIRED'")
    await subscribe(world)
    with pytest.raises(AlreadySubscribed):
        await change(billing.extend_subscription, made, by=billing.Extension(months=1), note="x")


@pytest.mark.parametrize(
    "by",
    [
        billing.Extension(),
        billing.Extension(months=1, until=END),
        billing.Extension(months=0),
        billing.Extension(months=61),
        billing.Extension(until=END),
        billing.Extension(until=STARTED),
        billing.Extension(until=datetime(9999, 1, 1, tzinfo=UTC)),
    ],
)
async def test_bad_extensions_write_nothing(world: Any, owner: Any, by: Any) -> None:
    made = await subscribe(world)
    with pytest.raises(InvalidValue):
        await change(billing.extend_subscription, made, by=by, note="x")
    assert await actions(owner) == ["activate"]


async def test_a_trial_is_given_more_days_even_after_its_end(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    with pytest.raises(NotAllowedNow):
        await change(billing.extend_trial, made, days=7)
    await owner.execute("UPDATE subscriptions SET status = 'TRIAL', plan_id = NULL")
    await change(billing.extend_trial, made, days=7)
    assert (await row(owner))["ends_at"].date() == (END + timedelta(days=7)).date()
    await owner.execute("UPDATE subscriptions SET status = 'EXPIRED'")
    clock.travel(END + timedelta(days=30))
    await change(billing.extend_trial, made, days=7, reason="asked nicely")
    subscription = await row(owner)
    assert subscription["status"] == "TRIAL"
    assert abs(subscription["ends_at"] - END - timedelta(days=37)) < timedelta(seconds=10)


async def test_of_two_people_who_read_the_same_one_wins(world: Any) -> None:
    made = await subscribe(world)
    async with transaction() as session:
        version = (await session.get_one(Subscription, made.subscription)).version

    async def switch_off() -> None:
        async with transaction() as session:
            await billing.set_auto_renew(
                session, STAFF, subscription_id=made.subscription, version=version, auto_renew=False
            )

    await switch_off()
    with pytest.raises(Conflict, match="at version 2") as conflict:
        await switch_off()
    assert conflict.value.code == "VERSION_CONFLICT"


async def test_anothers_subscription_is_not_there(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    other = await owner.fetchval("INSERT INTO partners (name) VALUES ('Other') RETURNING id")
    stranger = Principal(kind="partner", partner_id=other, permissions=made.partner_owner.permissions)
    for verb, arguments in (
        (billing.add_seats, {"seats": 6}),
        (billing.remove_seats, {"seats": 4}),
        (billing.cancel_subscription, {"when": CancelWhen.PERIOD_END}),
        (billing.change_plan_now, {"wanted": billing.Wanted(term=Term.YEAR)}),
        (billing.set_auto_renew, {"auto_renew": False}),
    ):
        with pytest.raises(NotFound):
            await change(verb, made, stranger, **arguments)
    assert await actions(owner) == ["activate"]


async def test_money_for_an_order_whose_subscription_has_ended_waits_for_a_person(world: Any, owner: Any) -> None:
    made = await subscribe(world)
    _, invoice, _ = await change(billing.add_seats, made, seats=6)
    await owner.execute("UPDATE subscriptions SET status = 'EXPIRED'")
    await pay(invoice.id)
    assert (await row(owner))["seats"] == 5
    assert await owner.fetchval("SELECT count(*) FROM outbox_messages WHERE kind = 'payment.attention'") == 1
