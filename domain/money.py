"""Money: the one place where amounts are rounded."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

MINOR_UNIT = Decimal("0.01")


def rounded(amount: Decimal) -> Decimal:
    """Half up to minor units, once per line."""
    return amount.quantize(MINOR_UNIT, rounding=ROUND_HALF_UP)


def minor_units(amount: Decimal) -> int:
    """The amount in kopecks or cents.

    Raises:
        ValueError: it has a fraction of a minor unit.
    """
    units = amount * 100
    if units != units.to_integral_value():
        raise ValueError(f"{amount} has a fraction of a minor unit")
    return int(units)


def from_minor_units(units: int) -> Decimal:
    """The amount behind a number of kopecks or cents."""
    return (Decimal(units) / 100).quantize(MINOR_UNIT)
