"""Wallets, lots, holds and the double-entry coin journal (WAL-1, WAL-2, WAL-4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, Integer, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.wallets import AccountKind, HoldStatus, LotSource, WalletTransactionKind
from models.base import Base, Coins, Keyed, StrEnumColumn, Updated, checked


class Wallet(Keyed, Updated, Base):
    """The prepaid coins of an install; only the ledger writes its figures.

    ``low_since`` is the moment at which the balance fell below ``low_threshold``, until it is there again: the notice
    is given once a crossing (WAL-6). ``top_up_threshold`` is that of an enabled `WalletTopUp` (WAL-5).

    Neither ``balance`` nor ``active_at``, by which lists are ordered, has an index: every charge changes them, and
    would write all indexes of the row anew.
    """

    __tablename__ = "wallets"
    __table_args__ = (
        CheckConstraint("balance >= 0", name="balance_not_negative"),
        CheckConstraint("earned >= 0 AND bought >= 0 AND spent >= 0", name="totals_not_negative"),
        CheckConstraint("low_threshold >= 0 AND top_up_threshold >= 0", name="thresholds_not_negative"),
        Index("ix_wallets_low", "id", postgresql_where=text("low")),
        Index(
            "ix_wallets_to_top_up",
            "top_up_threshold",
            postgresql_where=text("top_up_threshold IS NOT NULL"),
        ),
        Index(None, "partner_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    install_id: Mapped[int] = mapped_column(ForeignKey("installs.id"), unique=True)
    balance: Mapped[Coins] = mapped_column(server_default="0")
    earned: Mapped[Coins] = mapped_column(server_default="0")
    bought: Mapped[Coins] = mapped_column(server_default="0")
    spent: Mapped[Coins] = mapped_column(server_default="0")
    last_activity_at: Mapped[datetime | None]
    active_at: Mapped[datetime] = mapped_column(Computed("coalesce(last_activity_at, created_at)", persisted=True))
    low_threshold: Mapped[Coins | None]
    low_since: Mapped[datetime | None]
    low: Mapped[bool] = mapped_column(Computed("low_since IS NOT NULL", persisted=True))
    top_up_threshold: Mapped[Coins | None]


class LedgerAccount(Keyed, Base):
    """An account of the journal: one per wallet, and one per counterpart kind for the whole company.

    Counterparts keep no running balance, so that wallets do not queue for one hot row.
    """

    __tablename__ = "ledger_accounts"
    __table_args__ = (
        checked("kind", AccountKind),
        CheckConstraint("(kind = 'WALLET') = (wallet_id IS NOT NULL)", name="wallet_of_kind"),
        Index("uq_ledger_accounts_counterpart", "kind", unique=True, postgresql_where=text("wallet_id IS NULL")),
        Index(None, "partner_id", "id"),
        Index(None, "kind", "id"),
    )

    kind: Mapped[AccountKind] = mapped_column(StrEnumColumn(AccountKind))
    wallet_id: Mapped[int | None] = mapped_column(ForeignKey("wallets.id"), unique=True)
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"))


class WalletTransaction(Keyed, Base):
    """A movement of coins of one wallet; insert-only."""

    __tablename__ = "wallet_transactions"
    __table_args__ = (
        checked("kind", WalletTransactionKind),
        CheckConstraint("amount <> 0", name="amount_not_zero"),
        CheckConstraint("balance_after >= 0", name="balance_after_not_negative"),
        Index(
            "uq_wallet_transactions_reference",
            "reference",
            "wallet_id",
            unique=True,
            postgresql_where=text("reference IS NOT NULL"),
        ),
        Index("ix_wallet_transactions_period", "wallet_id", "created_at", "id"),
        Index(None, "partner_id", "created_at", "id"),
        Index(None, "created_at", "id"),
        Index("ix_wallet_transactions_not_usage", "kind", "created_at", "id", postgresql_where=text("kind <> 'USAGE'")),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    kind: Mapped[WalletTransactionKind] = mapped_column(StrEnumColumn(WalletTransactionKind))
    amount: Mapped[Coins]
    balance_after: Mapped[Coins]
    description: Mapped[str]
    reference: Mapped[str | None]
    actor: Mapped[str]
    actor_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class WalletLot(Keyed, Base):
    """Coins that came to a wallet together: spent in the order of rank, end and age (WAL-2).

    ``opening`` is what the lot held before the journal knew lots; ``remaining`` is that and the sum of its entries.
    """

    __tablename__ = "wallet_lots"
    __table_args__ = (
        checked("source", LotSource),
        CheckConstraint("amount > 0 AND remaining BETWEEN 0 AND amount", name="remaining_within_amount"),
        CheckConstraint("open = (remaining > 0)", name="open_while_coins_remain"),
        CheckConstraint("expires_at IS NULL OR source <> 'PURCHASE'", name="bought_never_expires"),
        CheckConstraint("spend_rank = CASE source WHEN 'PURCHASE' THEN 1 ELSE 0 END", name="bought_is_spent_last"),
        # Not `remaining`: an update of an indexed column would write every index anew.
        Index("ix_wallet_lots_to_spend", "wallet_id", "spend_rank", "expires_at", "id", postgresql_where=text("open")),
        Index("ix_wallet_lots_to_expire", "expires_at", postgresql_where=text("open AND expires_at IS NOT NULL")),
        Index("ix_wallet_lots_recent", "wallet_id", text("id DESC")),
        Index(None, "partner_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    source: Mapped[LotSource] = mapped_column(StrEnumColumn(LotSource))
    transaction_id: Mapped[int | None] = mapped_column(ForeignKey("wallet_transactions.id"), unique=True)
    amount: Mapped[Coins]
    remaining: Mapped[Coins]
    opening: Mapped[Coins] = mapped_column(server_default="0")
    open: Mapped[bool] = mapped_column(server_default=text("true"))
    spend_rank: Mapped[int] = mapped_column(SmallInteger)
    expires_at: Mapped[datetime | None]


class LedgerEntry(Keyed, Base):
    """One leg of a movement; the legs of a transaction sum to zero. Insert-only.

    The wallet's side has one leg for each lot that the coins came to or were taken from.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount_not_zero"),
        Index(None, "account_id", "id"),
        Index(None, "partner_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    transaction_id: Mapped[int] = mapped_column(ForeignKey("wallet_transactions.id", ondelete="RESTRICT"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("ledger_accounts.id", ondelete="RESTRICT"))
    amount: Mapped[Coins]
    lot_id: Mapped[int | None] = mapped_column(ForeignKey("wallet_lots.id", ondelete="RESTRICT"))


class WalletHold(Keyed, Updated, Base):
    """Coins set aside for something that is not finished; gone from the balance until captured or released."""

    __tablename__ = "wallet_holds"
    __table_args__ = (
        UniqueConstraint("wallet_id", "key"),
        checked("status", HoldStatus),
        CheckConstraint("amount > 0 AND captured_amount BETWEEN 0 AND amount", name="captured_within_amount"),
        CheckConstraint("(status = 'HELD') = (closed_at IS NULL)", name="closed_at_of_status"),
        CheckConstraint("(status = 'CAPTURED') = (captured_amount > 0)", name="captured_amount_of_status"),
        Index("ix_wallet_holds_to_expire", "expires_at", postgresql_where=text("status = 'HELD'")),
        Index("ix_wallet_holds_recent", "wallet_id", text("id DESC")),
        Index(None, "partner_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    key: Mapped[str]
    status: Mapped[HoldStatus] = mapped_column(StrEnumColumn(HoldStatus), server_default="HELD")
    amount: Mapped[Coins]
    captured_amount: Mapped[Coins] = mapped_column(server_default="0")
    description: Mapped[str]
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    transaction_id: Mapped[int] = mapped_column(ForeignKey("wallet_transactions.id"), unique=True)


class WalletTopUp(Keyed, Updated, Base):
    """The rule by which a wallet fills itself: which package is bought by stored card below which balance (WAL-5)."""

    __tablename__ = "wallet_top_ups"
    __table_args__ = (
        CheckConstraint("threshold >= 0", name="threshold_not_negative"),
        CheckConstraint("most_per_day BETWEEN 1 AND 100", name="most_per_day_within_reason"),
        Index(None, "partner_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"), unique=True)
    coin_package_id: Mapped[int] = mapped_column(ForeignKey("coin_packages.id"), index=True)
    threshold: Mapped[Coins]
    most_per_day: Mapped[int] = mapped_column(Integer, server_default="3")
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    stopped_because: Mapped[str | None]
