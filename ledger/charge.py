"""Charges of product back ends: one statement of the database each, or one for a whole batch (WAL-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

import asyncpg

_CHARGE = "SELECT * FROM charge_coins($1, $2, $3, $4, $5, $6, $7)"
_CHARGE_MANY = "SELECT * FROM charge_many($1, $2, $3, $4, $5, $6, $7) ORDER BY nth"


class Outcome(StrEnum):
    """What became of a charge; MOVED and REPEATED are the good ones."""

    MOVED = "MOVED"
    REPEATED = "REPEATED"
    REFERENCE_REUSED = "REFERENCE_REUSED"
    INSUFFICIENT = "INSUFFICIENT"
    NO_INSTALL = "NO_INSTALL"
    NO_WALLET = "NO_WALLET"
    DISABLED = "DISABLED"
    NOT_ALLOWED = "NOT_ALLOWED"


class Runner(Protocol):
    """What runs a statement: a pool in autocommit, or the connection of a transaction."""

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """All rows of a statement."""


@dataclass(frozen=True)
class Charge:
    """Coins that an install has used.

    Parameters:
        amount: more than nothing, with at most three decimals.
        reference: a second charge of the wallet under it changes nothing.
    """

    install_id: int
    amount: Decimal
    reference: str
    description: str


@dataclass(frozen=True)
class Charged:
    """What became of a charge.

    Parameters:
        transaction_id: the movement; None where there is none.
        balance: after the movement, or now where it was refused; None where there is no wallet.
    """

    outcome: Outcome
    transaction_id: int | None
    balance: Decimal | None


async def charge_coins(run: Runner, *, product_id: int, charge: Charge, actor: str, at: datetime) -> Charged:
    """Take coins out of the wallet of an install of the product."""
    rows = await run.fetch(
        _CHARGE, product_id, charge.install_id, charge.amount, charge.reference, charge.description, actor, at
    )
    return _charged(rows[0])


async def charge_many(
    run: Runner, *, product_id: int, charges: Sequence[Charge], actor: str, at: datetime
) -> list[Charged]:
    """Many charges in one transaction, each with its own outcome; wallets are locked in the order of installs."""
    rows = await run.fetch(
        _CHARGE_MANY,
        product_id,
        [charge.install_id for charge in charges],
        [charge.amount for charge in charges],
        [charge.reference for charge in charges],
        [charge.description for charge in charges],
        actor,
        at,
    )
    return [_charged(row) for row in rows]


def _charged(row: asyncpg.Record) -> Charged:
    return Charged(Outcome(row["outcome"]), row["moved_id"], row["balance_then"])
