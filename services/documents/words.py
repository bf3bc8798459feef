"""Amounts and dates as Russian documents write them."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from babel.dates import format_date
from num2words import num2words  # type: ignore[import-untyped]

_SHORT = re.compile(r"(\b\w{1,4}\.) ")
SPELLED = frozenset({"BYN", "EUR", "KZT", "RUB", "USD"})


def amount(value: Decimal) -> str:
    """`1 234 567,80`, with spaces that do not break."""
    return f"{value:,.2f}".replace(",", "\u00a0").replace(".", ",").replace("-", "−")


def unbroken(address: str) -> str:
    """An address whose short words, such as `ул.` and `д.`, stay with what they name."""
    return _SHORT.sub("\\1\u00a0", address)


def quantity(value: Decimal) -> str:
    """`12` or `1,5`: no zeros at the end."""
    return f"{value.normalize():f}".replace(".", ",")


def percent(value: Decimal) -> str:
    """`20%` or `7,5%`."""
    return f"{quantity(value)}%"


def spelled(value: Decimal, currency: str) -> str:
    """`Одна тысяча двести рублей 50 копеек`; in figures for currencies whose grammar is not known."""
    if currency not in SPELLED:
        return f"{amount(value)} {currency}"
    words: str = num2words(value, lang="ru", to="currency", currency=currency, separator="", cents=False)
    return words[0].upper() + words[1:]


def long_date(value: date) -> str:
    """`21 ноября 2026 г.`"""
    return format_date(value, "d MMMM y 'г.'", locale="ru")


def short_date(value: date) -> str:
    """`21.11.2026`."""
    return f"{value:%d.%m.%Y}"
