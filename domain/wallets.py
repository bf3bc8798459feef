"""Wallets: accounts of the coin journal, kinds of movement, lots and holds (WAL-1, WAL-2, WAL-4)."""

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
    EXPIRY = "EXPIRY"


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
    EXPIRY = "EXPIRY"


class LotSource(StrEnum):
    """Where the coins of a lot came from; bought ones are spent last and never expire."""

    BONUS = "BONUS"
    ADJUSTMENT = "ADJUSTMENT"
    PURCHASE = "PURCHASE"


class HoldStatus(StrEnum):
    """The life of a hold: coins set aside, then spent in whole or part, or given back (WAL-4)."""

    HELD = "HELD"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"
