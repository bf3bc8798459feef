"""Wallets and the coin journal as the API shows them (WAL-1, WAL-2)."""

from __future__ import annotations

from typing import Any

import models
from planner.binding import (
    Node,
    any_of,
    at_least,
    before,
    bound,
    column,
    equals,
    filter_input,
    order_input,
    to_list,
    to_many,
    to_one,
)
from schema.allowed_actions import wallet_allowed_actions

WalletFilter = filter_input(
    "Wallet",
    {
        "partner_id": equals(models.Wallet.partner_id, "Only of this partner.", id_of="Partner"),
        "install_id": equals(models.Wallet.install_id, "Only of this install.", id_of="Install"),
        "balance_from": at_least(models.Wallet.balance, "Holding so many coins or more."),
        "balance_before": before(models.Wallet.balance, "Holding less than so many coins."),
        "active_from": at_least(models.Wallet.active_at, "Last active at this moment or later."),
        "active_before": before(models.Wallet.active_at, "Not active since this moment."),
        "low": equals(models.Wallet.low, "Only those below their threshold, or only others."),
    },
)
WalletOrder = order_input(
    "Wallet",
    {
        "BALANCE": models.Wallet.balance,
        "SPENT": models.Wallet.spent,
        "LAST_ACTIVITY_AT": models.Wallet.active_at,
    },
)


@bound(models.Wallet, requires="wallet:read", description="Prepaid coins of an install (WAL-1).")
class Wallet(Node):
    """Prepaid coins of an install."""

    balance: Any = column(models.Wallet.balance, "Coins that may be spent.")
    earned: Any = column(models.Wallet.earned, "Coins ever given as a bonus.")
    bought: Any = column(models.Wallet.bought, "Coins ever bought.")
    spent: Any = column(models.Wallet.spent, "Coins ever spent.")
    low_threshold: Any = column(models.Wallet.low_threshold, "Below this balance notice is given; null for never.")
    low: Any = column(models.Wallet.low, "Whether the balance is below the threshold.")
    low_since: Any = column(models.Wallet.low_since, "Since when the balance is below the threshold.")
    last_activity_at: Any = column(models.Wallet.last_activity_at, "When coins last moved.")
    allowed_actions: Any = wallet_allowed_actions()
    created_at: Any = column(models.Wallet.created_at, "When the wallet was opened.")
    updated_at: Any = column(models.Wallet.updated_at, "When the wallet last changed.")
    install: Any = to_one("schema.installs.Install", models.Wallet.install_id, "The install.", requires="install:read")
    partner: Any = to_one("schema.partners.Partner", models.Wallet.partner_id, "Whose it is.", requires="partner:read")
    transactions: Any = to_many(
        "schema.wallets.WalletTransaction", models.WalletTransaction.wallet_id, "Every movement of its coins."
    )
    lots: Any = to_many("schema.coin_lots.WalletLot", models.WalletLot.wallet_id, "Coins by the way they came.")
    holds: Any = to_many("schema.coin_lots.WalletHold", models.WalletHold.wallet_id, "Coins set aside.")
    top_up: Any = to_one(
        "schema.coin_packages.WalletTopUp",
        models.WalletTopUp.wallet_id,
        "How it fills itself; null where it never was told to.",
        optional=True,
    )


WalletTransactionFilter = filter_input(
    "WalletTransaction",
    {
        "partner_id": equals(models.WalletTransaction.partner_id, "Only of this partner.", id_of="Partner"),
        "wallet_id": equals(models.WalletTransaction.wallet_id, "Only of this wallet.", id_of="Wallet"),
        "kind": any_of(models.WalletTransaction.kind, "Only these kinds."),
        "reference": equals(models.WalletTransaction.reference, "Exactly this reference."),
        "created_from": at_least(models.WalletTransaction.created_at, "Moved at this moment or later."),
        "created_before": before(models.WalletTransaction.created_at, "Moved before this moment."),
    },
)
WalletTransactionOrder = order_input("WalletTransaction", {"CREATED_AT": models.WalletTransaction.created_at})


@bound(models.WalletTransaction, requires="wallet:read", description="A movement of a wallet's coins (WAL-1).")
class WalletTransaction(Node):
    """A movement of a wallet's coins."""

    kind: Any = column(models.WalletTransaction.kind, "Why the coins moved.")
    amount: Any = column(models.WalletTransaction.amount, "Change of the balance; negative for a debit.")
    balance_after: Any = column(models.WalletTransaction.balance_after, "Balance after the movement.")
    description: str = column(models.WalletTransaction.description, "What it was for, in words.")
    reference: Any = column(models.WalletTransaction.reference, "Key under which it happened once.")
    actor: str = column(models.WalletTransaction.actor, "Who moved the coins.", requires="audit:read")
    created_at: Any = column(models.WalletTransaction.created_at, "When the coins moved.")
    wallet: Any = to_one("schema.wallets.Wallet", models.WalletTransaction.wallet_id, "The wallet.")
    partner: Any = to_one(
        "schema.partners.Partner", models.WalletTransaction.partner_id, "Whose it is.", requires="partner:read"
    )
    actor_user: Any = to_one(
        "schema.access.User",
        models.WalletTransaction.actor_user_id,
        "The person who moved the coins, if it was one.",
        requires="user:read",
    )
    entries: Any = to_list(
        "schema.wallets.LedgerEntry",
        models.LedgerEntry.transaction_id,
        "Legs of the movement; they sum to zero.",
        order=models.LedgerEntry.id,
    )


LedgerEntryFilter = filter_input(
    "LedgerEntry",
    {
        "partner_id": equals(models.LedgerEntry.partner_id, "Only of this partner.", id_of="Partner"),
        "account_id": equals(models.LedgerEntry.account_id, "Only of this account.", id_of="LedgerAccount"),
        "transaction_id": equals(
            models.LedgerEntry.transaction_id, "Only of this movement.", id_of="WalletTransaction"
        ),
    },
)
LedgerEntryOrder = order_input("LedgerEntry")


@bound(models.LedgerEntry, requires="wallet:read", description="One leg of a movement of coins (WAL-2).")
class LedgerEntry(Node):
    """One leg of a movement of coins."""

    amount: Any = column(models.LedgerEntry.amount, "Coins that came to the account; negative where they left.")
    created_at: Any = column(models.LedgerEntry.created_at, "When the coins moved.")
    account: Any = to_one(
        "schema.wallets.LedgerAccount",
        models.LedgerEntry.account_id,
        "The account; null for the company's own accounts where the caller sees one partner only.",
        optional=True,
    )
    transaction: Any = to_one("schema.wallets.WalletTransaction", models.LedgerEntry.transaction_id, "The movement.")


LedgerAccountFilter = filter_input(
    "LedgerAccount",
    {
        "kind": any_of(models.LedgerAccount.kind, "Only these kinds."),
        "wallet_id": equals(models.LedgerAccount.wallet_id, "Only of this wallet.", id_of="Wallet"),
    },
)
LedgerAccountOrder = order_input("LedgerAccount")


@bound(
    models.LedgerAccount,
    requires="wallet:read",
    description="An account of the coin journal: a wallet's, or one of the company's counterparts (WAL-2).",
)
class LedgerAccount(Node):
    """An account of the coin journal."""

    kind: Any = column(models.LedgerAccount.kind, "What the account stands for.")
    created_at: Any = column(models.LedgerAccount.created_at, "When it was opened.")
    wallet: Any = to_one("schema.wallets.Wallet", models.LedgerAccount.wallet_id, "Its wallet, if it has one.")
    entries: Any = to_many("schema.wallets.LedgerEntry", models.LedgerEntry.account_id, "Legs on this account.")
