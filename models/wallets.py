"""Wallets and the double-entry coin journal (WAL-1, WAL-2)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.wallets import AccountKind, WalletTransactionKind
from models.base import Base, Coins, Keyed, StrEnumColumn, Updated, checked


class Wallet(Keyed, Updated, Base):
    """The prepaid coins of an install; only the ledger writes its figures."""

    __tablename__ = "wallets"
    __table_args__ = (
        CheckConstraint("balance >= 0", name="balance_not_negative"),
        CheckConstraint("earned >= 0 AND bought >= 0 AND spent >= 0", name="totals_not_negative"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"), index=True)
    install_id: Mapped[int] = mapped_column(ForeignKey("installs.id"), unique=True)
    balance: Mapped[Coins] = mapped_column(server_default="0")
    earned: Mapped[Coins] = mapped_column(server_default="0")
    bought: Mapped[Coins] = mapped_column(server_default="0")
    spent: Mapped[Coins] = mapped_column(server_default="0")
    last_activity_at: Mapped[datetime | None]


class LedgerAccount(Keyed, Base):
    """An account of the journal: one per wallet, and one per counterpart kind for the whole company.

    Counterparts keep no running balance, so that wallets do not queue for one hot row.
    """

    __tablename__ = "ledger_accounts"
    __table_args__ = (
        checked("kind", AccountKind),
        CheckConstraint("(kind = 'WALLET') = (wallet_id IS NOT NULL)", name="wallet_of_kind"),
        Index("uq_ledger_accounts_counterpart", "kind", unique=True, postgresql_where=text("wallet_id IS NULL")),
    )

    kind: Mapped[AccountKind] = mapped_column(StrEnumColumn(AccountKind))
    wallet_id: Mapped[int | None] = mapped_column(ForeignKey("wallets.id"), unique=True)
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"), index=True)


class WalletTransaction(Keyed, Base):
    """A movement of coins of one wallet; insert-only."""

    __tablename__ = "wallet_transactions"
    __table_args__ = (
        checked("kind", WalletTransactionKind),
        CheckConstraint("amount <> 0", name="amount_not_zero"),
        CheckConstraint("balance_after >= 0", name="balance_after_not_negative"),
        Index(
            "uq_wallet_transactions_reference",
            "wallet_id",
            "reference",
            unique=True,
            postgresql_where=text("reference IS NOT NULL"),
        ),
        Index("ix_wallet_transactions_recent", "wallet_id", text("id DESC")),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"), index=True)
    wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    kind: Mapped[WalletTransactionKind] = mapped_column(StrEnumColumn(WalletTransactionKind))
    amount: Mapped[Coins]
    balance_after: Mapped[Coins]
    description: Mapped[str]
    reference: Mapped[str | None]
    actor: Mapped[str]
    actor_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class LedgerEntry(Keyed, Base):
    """One leg of a movement; the legs of a transaction sum to zero. Insert-only."""

    __tablename__ = "ledger_entries"
    __table_args__ = (CheckConstraint("amount <> 0", name="amount_not_zero"),)

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"), index=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("wallet_transactions.id", ondelete="RESTRICT"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("ledger_accounts.id", ondelete="RESTRICT"), index=True)
    amount: Mapped[Coins]
