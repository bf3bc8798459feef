"""Value-added tax that prices include (INV-1)."""

from __future__ import annotations

from decimal import Decimal

from domain.money import rounded


def vat_within(total: Decimal, rate: Decimal | None) -> Decimal:
    """The tax within an amount, rounded half up; 0 without VAT.

    Parameters:
        rate: percent, over 0; None without VAT.
    """
    return Decimal(0) if rate is None else rounded(total * rate / (100 + rate))
