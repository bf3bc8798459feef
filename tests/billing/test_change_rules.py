"""Prices of changes in mid-period, against a simple model in kopecks and whole months (SUB-5, SUB-6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.billing import SubscriptionStatus
from domain.catalog import PricingModel, Term
from domain.money import minor_units
from domain.periods import anchor_day, period_end
from domain.pricing import Quote, quote
from domain.proration import (
    MOST_MONTHS_BOUGHT,
    CreditTooLarge,
    change_quote,
    receipt_amounts,
    seats_quote,
    unused_worth,
    whole_months_left,
)
from domain.subscription_actions import ALLOWED_IN, Standing, SubscriptionAction, allowed_actions, blocked_because
from policies.permissions import ALL

MOSCOW = ZoneInfo("Europe/Moscow")
SECONDS = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2020, 2040))
MOMENTS = st.integers(*SECONDS).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
KOPECKS = st.integers(0, 10**12).map(lambda units: Decimal(units) / 100)
PRICES = st.integers(0, 10**6).map(lambda units: Decimal(units) / 100)
SHARES = st.fractions(0, 1)


def at(start: datetime, end: datetime, share: Fraction) -> datetime:
    """The moment when ``share`` of the time from start to end has passed."""
    return start + timedelta(microseconds=int((end - start) // timedelta(microseconds=1) * share))


def plan_price(price: str, seats: int = 1, term: Term = Term.MONTH) -> Quote:
    return quote(model=PricingModel.PER_SEAT, term=term, seats=seats, unit_price=Decimal(price), currency="RUB")


@pytest.mark.parametrize(
    ("now", "months"),
    [
        ("2027-01-31T09:00", 6),
        ("2027-01-31T09:01", 5),
        ("2027-02-28T09:00", 5),
        ("2027-02-28T09:01", 4),
        ("2027-03-15T12:00", 4),
        ("2027-06-30T09:00", 1),
        ("2027-06-30T09:01", 0),
        ("2027-07-31T09:00", 0),
        ("2027-08-31T09:00", 0),
    ],
)
def test_whole_months_are_those_of_the_subscriptions_own_calendar(now: str, months: int) -> None:
    end = period_end(datetime(2027, 1, 31, 9, tzinfo=UTC), 6, 31, MOSCOW)
    assert whole_months_left(datetime.fromisoformat(f"{now}Z"), end, 31, MOSCOW) == months


@given(start=MOMENTS, term=st.sampled_from(Term), share=SHARES)
def test_whole_months_left_agree_with_counting_borders(start: datetime, term: Term, share: Fraction) -> None:
    anchor = anchor_day(start, MOSCOW)
    borders = [start, *(period_end(start, month, anchor, MOSCOW) for month in range(1, term.months + 1))]
    now = at(start, borders[-1], share)
    model = sum(1 for border in borders[:-1] if border >= now)
    assert whole_months_left(now, borders[-1], anchor, MOSCOW) == model


@given(start=MOMENTS, term=st.sampled_from(Term), share=SHARES, added=st.integers(1, 1000), price=PRICES)
def test_more_seats_cost_months_times_seats_times_price(
    start: datetime, term: Term, share: Fraction, added: int, price: Decimal
) -> None:
    anchor = anchor_day(start, MOSCOW)
    end = period_end(start, term.months, anchor, MOSCOW)
    now = at(start, end, share)
    bill = seats_quote(
        model=PricingModel.PER_SEAT, added=added, unit_price=price, currency="RUB",
        now=now, ends_at=end, anchor=anchor, zone=MOSCOW,
    )  # fmt: skip
    assert 1 <= bill.months <= term.months
    assert minor_units(bill.total) == minor_units(price) * added * bill.months
    halves = [
        seats_quote(model=PricingModel.PER_SEAT, added=part, unit_price=price, currency="RUB", now=now, ends_at=end, anchor=anchor, zone=MOSCOW).total
        for part in (added // 2, added - added // 2)
        if part
    ]  # fmt: skip
    assert sum(halves) == bill.total, "seats one after another cost what they cost at once"


def test_seats_of_a_flat_plan_cost_nothing() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    bill = seats_quote(
        model=PricingModel.FLAT, added=5, unit_price=Decimal(100), currency="RUB",
        now=now, ends_at=now + timedelta(days=20), anchor=1, zone=MOSCOW,
    )  # fmt: skip
    assert (bill.quantity, bill.total) == (0, 0)


@given(worth=KOPECKS, start=MOMENTS, days=st.integers(1, 800), shares=st.tuples(SHARES, SHARES))
@example(
    worth=Decimal("9999999999.99"), start=datetime(2027, 1, 1, tzinfo=UTC), days=365, shares=(Fraction(1, 3), Fraction(2, 3))
)  # fmt: skip
def test_worth_is_used_up_steadily_and_to_the_kopeck(
    worth: Decimal, start: datetime, days: int, shares: tuple[Fraction, Fraction]
) -> None:
    end = start + timedelta(days=days)
    first, second = sorted(at(start, end, share) for share in shares)
    left_first, left_second = (unused_worth(worth, start, end, moment) for moment in (first, second))
    assert unused_worth(worth, start, end, start) == worth
    assert unused_worth(worth, start, end, end) == 0
    assert 0 <= left_second <= left_first <= worth
    exact = Fraction(worth) * Fraction((end - second) // timedelta(microseconds=1), days * 86_400 * 10**6)
    assert 0 <= exact - Fraction(left_second) < Fraction(1, 100)
    rebased = unused_worth(left_first, first, end, second)
    assert Fraction(left_second) - Fraction(2, 100) < Fraction(rebased) <= exact, "counting in two steps gains nothing"


@given(now=MOMENTS, credit=KOPECKS, price=PRICES, seats=st.integers(1, 50), term=st.sampled_from(Term))
def test_a_change_never_asks_for_less_than_nothing_and_no_credit_is_lost(
    now: datetime, credit: Decimal, price: Decimal, seats: int, term: Term
) -> None:
    new = plan_price(str(price), seats, term)
    anchor = anchor_day(now, MOSCOW)
    try:
        change = change_quote(new=new, credit=credit, now=now, zone=MOSCOW)
    except CreditTooLarge:
        assert credit > new.per_month * MOST_MONTHS_BOUGHT
        return
    assert change.due == max(Decimal(0), new.total - credit)
    full = period_end(now, term.months, anchor, MOSCOW)
    if credit <= new.total or new.per_month == 0:
        assert change.ends_at == full
        return
    paid_months = Fraction(credit) / Fraction(new.per_month)
    whole = int(paid_months)
    assert period_end(now, whole, anchor, MOSCOW) <= change.ends_at <= period_end(now, whole + 1, anchor, MOSCOW)
    assert change.ends_at >= full
    if paid_months == whole:
        assert change.ends_at == period_end(now, whole, anchor, MOSCOW)


def test_a_credit_beyond_the_price_buys_months_and_days() -> None:
    now = datetime(2027, 3, 1, 9, tzinfo=UTC)
    change = change_quote(new=plan_price("100", 3), credit=Decimal("950.00"), now=now, zone=MOSCOW)
    assert change.due == 0
    # 300 a month: three months to 1 June, and 50 of June's 300 are 5 of its 30 days.
    assert change.ends_at.isoformat() == "2027-06-06T09:00:00+00:00"
    begun = change_quote(new=plan_price("100", 3), credit=Decimal("900.01"), now=now, zone=MOSCOW)
    assert begun.ends_at.isoformat() == "2027-06-02T09:00:00+00:00"
    with pytest.raises(CreditTooLarge):
        change_quote(new=plan_price("0.01"), credit=Decimal(1000), now=now, zone=MOSCOW)


@given(amounts=st.lists(st.integers(-(10**6), 10**7).map(lambda units: Decimal(units) / 100), min_size=1, max_size=8))
def test_receipts_have_no_negative_lines_and_the_same_sum(amounts: list[Decimal]) -> None:
    if sum(amounts) < 0:
        with pytest.raises(ValueError, match="less than nothing"):
            receipt_amounts(amounts)
        return
    spread = receipt_amounts(amounts)
    assert sum(spread) == sum(amounts)
    for told, amount in zip(spread, amounts, strict=True):
        assert 0 <= told <= max(amount, Decimal(0)) + Decimal("0.01")


def test_actions_are_closed_to_the_ended_and_the_paused() -> None:
    assert set(ALLOWED_IN) == set(SubscriptionAction)
    canceled = _enabled(Standing(SubscriptionStatus.CANCELED))
    open_to_the_ended = {SubscriptionAction.EXTEND, SubscriptionAction.CORRECT}
    assert canceled == open_to_the_ended
    paused = _enabled(Standing(SubscriptionStatus.ACTIVE, paused=True))
    assert paused == {SubscriptionAction.RESUME, SubscriptionAction.CANCEL_NOW}
    charging = Standing(SubscriptionStatus.ACTIVE, renewal_charging="2027-000007")
    assert "2027-000007" in str(blocked_because(SubscriptionAction.ADD_SEATS, charging))
    assert blocked_because(SubscriptionAction.SET_AUTO_RENEW, charging) is None
    billed = Standing(SubscriptionStatus.PAST_DUE, renewal_waits="2027-000008")
    assert "2027-000008" in str(blocked_because(SubscriptionAction.BILL_RENEWAL, billed))


def _enabled(standing: Standing) -> set[SubscriptionAction]:
    return {one.action for one in allowed_actions(standing, ALL) if one.enabled}
