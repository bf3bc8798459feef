"""What a change in mid-period costs: seats by whole months left, and the unused part as credit (SUB-5, SUB-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from domain.catalog import PricingModel
from domain.money import from_minor_units, minor_units, rounded
from domain.periods import anchor_day, period_end
from domain.pricing import Quote

LEAST_MONTHS_BILLED = 1
# A larger credit buys years in which nobody renews; a person should look at it.
MOST_MONTHS_BOUGHT = 60


class CreditTooLarge(ValueError):
    """The credit would buy more than five years of the new plan."""


@dataclass(frozen=True)
class SeatsQuote:
    """The price of more seats until the period ends.

    Parameters:
        added: how many seats more.
        months: whole months billed.
        quantity: what the unit price is multiplied by each month; 0 where the plan's price does not depend on seats.
    """

    added: int
    months: int
    quantity: int
    unit_price: Decimal
    total: Decimal
    currency: str


@dataclass(frozen=True)
class ChangeQuote:
    """The price of another plan or term that begins now.

    Parameters:
        credit: what the unused part of the running period is worth.
        due: what is left to pay.
        starts_at, ends_at: the new period; longer than the term where the credit exceeds the price.
    """

    new: Quote
    credit: Decimal
    due: Decimal
    starts_at: datetime
    ends_at: datetime


def whole_months_left(now: datetime, ends_at: datetime, anchor: int, zone: ZoneInfo) -> int:
    """How many whole months of the subscription's own calendar lie between now and the end; 0 in the last month."""
    months = 0
    while now <= _months_before(ends_at, months + 1, anchor, zone):
        months += 1
    return months


def seats_quote(
    *,
    model: PricingModel,
    added: int,
    unit_price: Decimal,
    currency: str,
    now: datetime,
    ends_at: datetime,
    anchor: int,
    zone: ZoneInfo,
) -> SeatsQuote:
    """Whole remaining months, at least one, × added seats × unit price (SUB-5)."""
    if added < 1 or unit_price < 0:
        raise ValueError("seats are added one or more at a time, and prices are not negative")
    months = max(LEAST_MONTHS_BILLED, whole_months_left(now, ends_at, anchor, zone))
    quantity = 0 if model == PricingModel.FLAT else added
    total = rounded(unit_price * quantity * months)
    return SeatsQuote(added, months, quantity, unit_price, total, currency)


def unused_worth(worth: Decimal, since: datetime, until: datetime, now: datetime) -> Decimal:
    """What is left at ``now`` of the worth of a span, to the second, rounded down: never more than was paid."""
    if now >= until or until <= since:
        return Decimal("0.00")
    if now <= since:
        return worth
    left, whole = (until - now) // timedelta(microseconds=1), (until - since) // timedelta(microseconds=1)
    return from_minor_units(minor_units(worth) * left // whole)


def change_quote(*, new: Quote, credit: Decimal, now: datetime, zone: ZoneInfo) -> ChangeQuote:
    """The new period begins now; the credit pays for it, and where it exceeds the price it buys more time (SUB-6).

    Raises:
        CreditTooLarge: the credit would buy more than ``MOST_MONTHS_BOUGHT`` months.
    """
    if credit < 0:
        raise ValueError("a credit is not negative")
    due = max(Decimal("0.00"), new.total - credit)
    if months_bought(credit, new) > MOST_MONTHS_BOUGHT:
        raise CreditTooLarge(f"the credit pays for more than {MOST_MONTHS_BOUGHT} months")
    ends_at = time_bought(max(credit, new.total), new, now, anchor_day(now, zone), zone)
    return ChangeQuote(new, credit, due, now, ends_at)


def months_bought(worth: Decimal, new: Quote) -> int:
    """Whole months that ``worth`` pays for: the whole term at least."""
    rest = worth - new.total
    return new.months if rest <= 0 or new.per_month == 0 else new.months + int(rest // new.per_month)


def time_bought(worth: Decimal, new: Quote, start: datetime, anchor: int, zone: ZoneInfo) -> datetime:
    """The end of the period that ``worth`` pays for: the term, and what is more as :func:`time_for` has it."""
    if new.per_month == 0:
        return period_end(start, new.months, anchor, zone)
    return time_for(max(worth, new.total), new.per_month, start, anchor, zone)


def time_for(worth: Decimal, per_month: Decimal, start: datetime, anchor: int, zone: ZoneInfo) -> datetime:
    """Whole months from ``start`` on, then days, a begun day whole; no more than ``MOST_MONTHS_BOUGHT`` months."""
    months = int(worth // per_month)
    if months >= MOST_MONTHS_BOUGHT:
        return period_end(start, MOST_MONTHS_BOUGHT, anchor, zone)
    end = period_end(start, months, anchor, zone) if months else start
    next_end = period_end(start, months + 1, anchor, zone)
    days = (next_end.astimezone(zone).date() - end.astimezone(zone).date()).days
    left = minor_units(worth - months * per_month)
    return plus_days(end, -(-left * days // minor_units(per_month)), zone) if left else end


def plus_days(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same local time, ``days`` calendar days later."""
    local = moment.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    return local.replace(tzinfo=zone).astimezone(UTC)


def receipt_amounts(amounts: Sequence[Decimal]) -> list[Decimal]:
    """The amounts with their negative ones spread over the positive ones, in proportion and to the kopeck.

    A receipt has no negative lines (54-FZ); the sum stays the same, and no amount becomes negative.
    """
    positive = [max(amount, Decimal(0)) for amount in amounts]
    total, whole = sum(amounts, Decimal(0)), sum(positive, Decimal(0))
    if total < 0:
        raise ValueError("the lines sum to less than nothing")
    if whole == total:
        return positive
    spread, done, before = [], Decimal(0), Decimal(0)
    for amount in positive:
        before += amount
        upto = rounded(total * before / whole)
        spread.append(upto - done)
        done = upto
    return spread


def part_of(amounts: Sequence[Decimal], part: Decimal) -> list[Decimal]:
    """``part`` spread over the amounts, in proportion and to the kopeck; none gets more than it is."""
    return receipt_amounts([*amounts, part - sum(amounts, Decimal(0))])[:-1]


def _months_before(ends_at: datetime, months: int, anchor: int, zone: ZoneInfo) -> datetime:
    return period_end(ends_at, -months, anchor, zone)
