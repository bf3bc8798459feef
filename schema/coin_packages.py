"""Packages of coins, and the rules by which wallets buy them, as the API shows them (CAT-3, WAL-5)."""

from __future__ import annotations

from typing import Any

import models
from planner.binding import Money, Node, bound, column, equals, filter_input, money, order_input, to_one

CoinPackageFilter = filter_input(
    "CoinPackage",
    {
        "product_id": equals(models.CoinPackage.product_id, "Only of this product.", id_of="Product"),
        "active": equals(models.CoinPackage.active, "Only those on sale, or only withdrawn ones."),
    },
)
CoinPackageOrder = order_input("CoinPackage")


@bound(models.CoinPackage, requires="coin_package:read", description="An amount of coins at a price (CAT-3).")
class CoinPackage(Node):
    """An amount of coins at a price."""

    name: str = column(models.CoinPackage.name, "Name that people see.")
    coins: Any = column(models.CoinPackage.coins, "Coins in it.")
    price: Money = money(models.CoinPackage.price, models.CoinPackage.currency, "Price, VAT included.")
    active: bool = column(models.CoinPackage.active, "Whether it is on sale.")
    version: int = column(models.CoinPackage.version, "Version to send back with a change.")
    created_at: Any = column(models.CoinPackage.created_at, "When it was put on sale.")
    updated_at: Any = column(models.CoinPackage.updated_at, "When it was last changed.")
    product: Any = to_one(
        "schema.catalog.Product",
        models.CoinPackage.product_id,
        "The product whose installs may buy it; null for all products.",
        requires="product:read",
    )


WalletTopUpFilter = filter_input(
    "WalletTopUp",
    {"partner_id": equals(models.WalletTopUp.partner_id, "Only of this partner.", id_of="Partner")},
)
WalletTopUpOrder = order_input("WalletTopUp")


@bound(models.WalletTopUp, requires="wallet:read", description="The rule by which a wallet fills itself (WAL-5).")
class WalletTopUp(Node):
    """The rule by which a wallet fills itself."""

    enabled: bool = column(models.WalletTopUp.enabled, "Whether it buys.")
    threshold: Any = column(models.WalletTopUp.threshold, "Below this balance it buys.")
    most_per_day: int = column(models.WalletTopUp.most_per_day, "Most purchases within 24 hours.")
    stopped_because: Any = column(
        models.WalletTopUp.stopped_because,
        "Why it was switched off: CARD_DECLINED, NO_STORED_CARD, CARD_GATEWAY_GONE or PACKAGE_WITHDRAWN; null where "
        "nothing went wrong.",
    )
    created_at: Any = column(models.WalletTopUp.created_at, "When it was first set.")
    updated_at: Any = column(models.WalletTopUp.updated_at, "When it last changed.")
    wallet: Any = to_one("schema.wallets.Wallet", models.WalletTopUp.wallet_id, "The wallet.")
    coin_package: Any = to_one(
        "schema.coin_packages.CoinPackage",
        models.WalletTopUp.coin_package_id,
        "What is bought.",
        requires="coin_package:read",
    )
