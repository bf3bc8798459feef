"""Lots and holds of coins as the API shows them (WAL-2, WAL-4)."""

from __future__ import annotations

from typing import Any

import models
from planner.binding import Node, any_of, bound, column, equals, filter_input, order_input, to_one

WalletLotFilter = filter_input(
    "WalletLot",
    {
        "partner_id": equals(models.WalletLot.partner_id, "Only of this partner.", id_of="Partner"),
        "wallet_id": equals(models.WalletLot.wallet_id, "Only of this wallet.", id_of="Wallet"),
        "open": equals(models.WalletLot.open, "Only those with coins left, or only spent ones."),
    },
)
WalletLotOrder = order_input("WalletLot")


@bound(
    models.WalletLot,
    requires="wallet:read",
    description="Coins that came to a wallet together; bonuses are spent before bought coins (WAL-2).",
)
class WalletLot(Node):
    """Coins that came to a wallet together."""

    source: Any = column(models.WalletLot.source, "How they came.")
    amount: Any = column(models.WalletLot.amount, "How many came.")
    remaining: Any = column(models.WalletLot.remaining, "How many are left.")
    open: bool = column(models.WalletLot.open, "Whether any are left.")
    expires_at: Any = column(models.WalletLot.expires_at, "When they are lost unless spent; null for never.")
    created_at: Any = column(models.WalletLot.created_at, "When they came.")
    wallet: Any = to_one("schema.wallets.Wallet", models.WalletLot.wallet_id, "The wallet.")
    transaction: Any = to_one(
        "schema.wallets.WalletTransaction",
        models.WalletLot.transaction_id,
        "The movement that brought them; null for coins older than lots.",
    )


WalletHoldFilter = filter_input(
    "WalletHold",
    {
        "partner_id": equals(models.WalletHold.partner_id, "Only of this partner.", id_of="Partner"),
        "wallet_id": equals(models.WalletHold.wallet_id, "Only of this wallet.", id_of="Wallet"),
        "status": any_of(models.WalletHold.status, "Only these states."),
    },
)
WalletHoldOrder = order_input("WalletHold")


@bound(
    models.WalletHold,
    requires="wallet:read",
    description="Coins that a product set aside for something that is not finished (WAL-4).",
)
class WalletHold(Node):
    """Coins that a product set aside."""

    key: str = column(models.WalletHold.key, "The product's key of it.")
    status: Any = column(models.WalletHold.status, "State.")
    amount: Any = column(models.WalletHold.amount, "Coins set aside.")
    captured_amount: Any = column(models.WalletHold.captured_amount, "Coins of them that were spent.")
    description: str = column(models.WalletHold.description, "What for, in words.")
    expires_at: Any = column(models.WalletHold.expires_at, "When it ends by itself.")
    closed_at: Any = column(models.WalletHold.closed_at, "When it was captured or given back.")
    created_at: Any = column(models.WalletHold.created_at, "When it was made.")
    wallet: Any = to_one("schema.wallets.Wallet", models.WalletHold.wallet_id, "The wallet.")
