"""What a subscription costs (SUB-2)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from domain.catalog import PricingModel, Term
from domain.money import rounded

DEFAULT_SEATS = 5
MOST_SEATS = 100_000


@dataclass(frozen=True)
class Quote:
    """The price of one period.

    Parameters:
        quantity: what the unit price is multiplied by each month.
    """

    term: Term
    seats: int
    months: int
    quantity: int
    unit_price: Decimal
    per_month: Decimal
    total: Decimal
    currency: str


def quote(*, model: PricingModel, term: Term, seats: int, unit_price: Decimal, currency: str) -> Quote:
    """Price of one unit × units × whole months; a flat plan is one unit."""
    if seats < 1 or unit_price < 0:
        raise ValueError("seats are at least one and prices are not negative")
    quantity = 1 if model == PricingModel.FLAT else seats
    per_month = rounded(unit_price * quantity)
    return Quote(
        term=term,
        seats=seats,
        months=term.months,
        quantity=quantity,
        unit_price=unit_price,
        per_month=per_month,
        total=rounded(per_month * term.months),
        currency=currency,
    )
