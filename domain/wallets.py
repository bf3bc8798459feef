"""Wallets: accounts of the coin journal and kinds of movement (WAL-2)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

COIN_STEP = Decimal("0.001")


class AccountKind(StrEnum):
    """The accounts between which coins move; every movement sums to zero."""

    WALLET = "WALLET"
    BONUS = "BONUS"
    SALES = "SALES"
    USAGE = "USAGE"
    ADJUSTMENT = "ADJUSTMENT"
    REFUND = "REFUND"
    HOLD = "HOLD"


class WalletTransactionKind(StrEnum):
    """Why coins moved (WAL-1)."""

    BONUS = "BONUS"
    PURCHASE = "PURCHASE"
    USAGE = "USAGE"
    ADJUSTMENT_CREDIT = "ADJUSTMENT_CREDIT"
    ADJUSTMENT_DEBIT = "ADJUSTMENT_DEBIT"
    REFUND = "REFUND"
    HOLD = "HOLD"
    RELEASE = "RELEASE"
