"""Periods keep their anchor day; prices and money are exact."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.billing import INVOICE_TRANSITIONS, PAYMENT_TRANSITIONS, InvoiceStatus, PaymentStatus
from domain.catalog import PricingModel, Term
from domain.money import from_minor_units, minor_units, rounded
from domain.periods import anchor_day, period_end
from domain.pricing import quote

MOSCOW = ZoneInfo("Europe/Moscow")
SECONDS = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2020, 2040))
MOMENTS = st.integers(*SECONDS).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def test_the_anchor_survives_short_months() -> None:
    start = datetime(2027, 1, 31, 9, tzinfo=UTC)
    ends = []
    for _ in range(4):
        start = period_end(start, 1, 31, MOSCOW)
        ends.append(start.date().isoformat())
    assert ends == ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]


def test_a_leap_day_comes_back_in_leap_years_only() -> None:
    assert period_end(datetime(2028, 2, 29, 9, tzinfo=UTC), 12, 29, MOSCOW).date().isoformat() == "2029-02-28"
    assert period_end(datetime(2027, 2, 28, 9, tzinfo=UTC), 12, 29, MOSCOW).date().isoformat() == "2028-02-29"


def test_days_are_those_of_the_legal_entity() -> None:
    late_evening = datetime(2027, 1, 30, 22, 30, tzinfo=UTC)
    assert anchor_day(late_evening, MOSCOW) == 31
    assert period_end(late_evening, 1, 31, MOSCOW).isoformat() == "2027-02-27T22:30:00+00:00"


@given(start=MOMENTS, months=st.sampled_from([1, 6, 12]))
def test_a_period_ends_in_the_month_it_should(start: datetime, months: int) -> None:
    local = start.astimezone(MOSCOW)
    end = period_end(start, months, local.day, MOSCOW).astimezone(MOSCOW)
    assert (end.year * 12 + end.month) - (local.year * 12 + local.month) == months
    assert end.day <= local.day
    assert end.time() == local.time()


@given(start=MOMENTS, count=st.integers(1, 24))
def test_months_one_by_one_and_at_once_agree(start: datetime, count: int) -> None:
    anchor = anchor_day(start, MOSCOW)
    step = start
    for _ in range(count):
        step = period_end(step, 1, anchor, MOSCOW)
    assert step == period_end(start, count, anchor, MOSCOW)


@given(price=st.decimals(0, 100_000, places=2), seats=st.integers(1, 10_000), term=st.sampled_from(Term))
def test_a_quote_is_price_times_seats_times_months(price: Decimal, seats: int, term: Term) -> None:
    made = quote(model=PricingModel.PER_SEAT, term=term, seats=seats, unit_price=price, currency="RUB")
    assert made.total == price * seats * term.months
    assert from_minor_units(minor_units(made.total)) == made.total


def test_a_flat_plan_costs_the_same_for_all_seats() -> None:
    made = quote(model=PricingModel.FLAT, term=Term.YEAR, seats=50, unit_price=Decimal("99.90"), currency="RUB")
    assert (made.quantity, made.total) == (1, Decimal("1198.80"))


def test_amounts_are_rounded_half_up() -> None:
    assert rounded(Decimal("0.125")) == Decimal("0.13")
    with pytest.raises(ValueError, match="fraction"):
        minor_units(Decimal("0.001"))


def test_ended_states_are_ends() -> None:
    assert not PAYMENT_TRANSITIONS[PaymentStatus.REFUNDED]
    assert not INVOICE_TRANSITIONS[InvoiceStatus.CANCELED]
    assert set(PAYMENT_TRANSITIONS) == set(PaymentStatus)
    assert set(INVOICE_TRANSITIONS) == set(InvoiceStatus)
    for before, after in PAYMENT_TRANSITIONS.items():
        assert before not in after
