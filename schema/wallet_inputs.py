"""Inputs and payloads of wallets' doors (WAL-3)."""

from __future__ import annotations

from typing import Any

import strawberry

from planner.binding import object_value, plain
from planner.scalars import Decimal
from schema.payload import MoneyInput, Payload


@strawberry.input(description="Coins to be moved by hand.")
class WalletAdjustInput(MoneyInput):
    """Coins to be moved by hand."""

    id: strawberry.ID = strawberry.field(description="The wallet.")
    amount: Decimal = strawberry.field(description="Coins to credit, or to debit where negative; the step is 0.001.")
    reason: str = strawberry.field(description="Why; told in the wallet's journal.")


@plain(requires="", description="A wallet after the movement.")
class WalletPayload(Payload):
    """A wallet after the movement."""

    wallet: Any = object_value("schema.wallets.Wallet", "The wallet; null where there are user errors.")
    transaction: Any = object_value(
        "schema.wallets.WalletTransaction", "The movement; null where there are user errors."
    )
