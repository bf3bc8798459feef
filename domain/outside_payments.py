"""Money that came outside of gateways: its states, and which invoice it is for (INV-5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domain.billing import InvoiceStatus


class OutsidePaymentSource(StrEnum):
    """Who told of it: another system over REST, a bank statement, or a table that was imported."""

    API = "API"
    STATEMENT = "STATEMENT"
    TABLE = "TABLE"


class OutsidePaymentStatus(StrEnum):
    """NEW is looked at by nobody yet; UNMATCHED waits for a person; IGNORED was put aside by one."""

    NEW = "NEW"
    MATCHED = "MATCHED"
    UNMATCHED = "UNMATCHED"
    IGNORED = "IGNORED"


class UnmatchedReason(StrEnum):
    """Why money was not matched by itself."""

    NO_INVOICE = "NO_INVOICE"
    SEVERAL_INVOICES = "SEVERAL_INVOICES"
    OTHER_AMOUNT = "OTHER_AMOUNT"
    OTHER_PAYER = "OTHER_PAYER"
    OTHER_CURRENCY = "OTHER_CURRENCY"
    NOT_PAYABLE = "NOT_PAYABLE"


PAYABLE = frozenset(
    {InvoiceStatus.PENDING, InvoiceStatus.ACTION_REQUIRED, InvoiceStatus.FAILED, InvoiceStatus.CHARGING}
)
# With or without the code of a legal entity before it, as `services.billing.issue.invoice_number` writes it.
_NUMBER = re.compile(r"(?<![\w-])((?:[a-z0-9]+(?:[-_][a-z0-9]+)*-)?20[0-9]{2}-[0-9]{6,})(?![\w-])", re.IGNORECASE)


@dataclass(frozen=True)
class Money:
    """What is known of money that came."""

    amount: Decimal
    currency: str
    payer_inn: str | None
    purpose: str
    invoice_number: str | None = None


@dataclass(frozen=True)
class Candidate:
    """An invoice that it may be for."""

    invoice_id: int
    number: str
    status: InvoiceStatus
    total: Decimal
    currency: str
    partner_inn: str | None
    install_id: int | None = None


def numbers_in(money: Money) -> frozenset[str]:
    """The invoice numbers that the payer or the sender names."""
    if money.invoice_number is not None:
        return frozenset({money.invoice_number.lower()})
    return frozenset(found.lower() for found in _NUMBER.findall(money.purpose))


def decide(money: Money, named: Sequence[Candidate], of_payer: Sequence[Candidate]) -> Candidate | UnmatchedReason:
    """The one invoice that money is for, or why a person must say.

    A number that is named decides; then amount, currency and, where both are known, INN must agree. Without a number,
    the only payable invoice of the payer over exactly this amount is the one.

    Parameters:
        named: invoices with the numbers that were named.
        of_payer: payable invoices of partners with the payer's INN.
    """
    if numbers_in(money):
        if not named:
            return UnmatchedReason.NO_INVOICE
        if len(named) > 1:
            return UnmatchedReason.SEVERAL_INVOICES
        return _checked(money, named[0])
    fitting = [one for one in of_payer if (one.total, one.currency) == (money.amount, money.currency)]
    if len(fitting) == 1:
        return _checked(money, fitting[0])
    return UnmatchedReason.SEVERAL_INVOICES if fitting else UnmatchedReason.NO_INVOICE


def _checked(money: Money, invoice: Candidate) -> Candidate | UnmatchedReason:
    if invoice.status not in PAYABLE:
        return UnmatchedReason.NOT_PAYABLE
    if invoice.currency != money.currency:
        return UnmatchedReason.OTHER_CURRENCY
    if invoice.total != money.amount:
        return UnmatchedReason.OTHER_AMOUNT
    if money.payer_inn and invoice.partner_inn and money.payer_inn != invoice.partner_inn:
        return UnmatchedReason.OTHER_PAYER
    return invoice
