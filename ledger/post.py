"""The only writer of the coin journal: moves coins between a wallet and a counterpart account (WAL-2)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict, UserError
from core.principal import Principal
from domain.wallets import COIN_STEP, AccountKind, WalletTransactionKind
from models import LedgerAccount, LedgerEntry, Wallet, WalletTransaction

LARGEST_MOVEMENT = Decimal("999999999.999")

_TOTALS = {
    WalletTransactionKind.BONUS: "earned",
    WalletTransactionKind.PURCHASE: "bought",
    WalletTransactionKind.USAGE: "spent",
}


class InsufficientCoins(UserError):
    """The wallet holds less than was asked for (WAL-3)."""

    code = "INSUFFICIENT_COINS"


class InvalidCoins(UserError):
    """Not an amount of coins: zero, finer than the step, or too large (WAL-3)."""

    code = "INVALID_COINS"


@dataclass(frozen=True)
class Movement:
    """What is to be moved.

    Parameters:
        amount: coins into the wallet; negative out of it. At most three decimals.
        counterpart: where the coins come from or go to.
        reference: the caller's key; a second movement of the wallet under it changes nothing.
    """

    kind: WalletTransactionKind
    amount: Decimal
    counterpart: AccountKind
    description: str
    reference: str | None = None


async def open_wallet(session: AsyncSession, *, partner_id: int, install_id: int) -> Wallet:
    """The wallet of an install, made empty if there is none; the install is locked by the caller."""
    found: Wallet | None = await session.scalar(select(Wallet).where(Wallet.install_id == install_id))
    if found is not None:
        return found
    wallet = Wallet(partner_id=partner_id, install_id=install_id)
    session.add(wallet)
    await session.flush()
    session.add(LedgerAccount(kind=AccountKind.WALLET, wallet_id=wallet.id, partner_id=partner_id))
    await session.flush()
    return wallet


async def post(session: AsyncSession, actor: Principal, wallet_id: int, movement: Movement) -> WalletTransaction:
    """Move coins under the wallet's lock: balance, totals, transaction and both legs in one go.

    Raises:
        InvalidCoins: the amount is zero, too fine or too large.
        InsufficientCoins: names the balance and the request.
        Conflict: the reference was used for another movement.
    """
    _check_amount(movement.amount)
    wallet = await session.get_one(Wallet, wallet_id, with_for_update=True, populate_existing=True)
    if movement.reference is not None:
        earlier = await _by_reference(session, wallet_id, movement)
        if earlier is not None:
            return earlier
    balance = wallet.balance + movement.amount
    if balance < 0:
        raise InsufficientCoins(f"the wallet holds {wallet.balance} and {-movement.amount} were asked for")
    wallet.balance = balance
    wallet.last_activity_at = clock.now()
    if total := _TOTALS.get(movement.kind):
        setattr(wallet, total, getattr(wallet, total) + abs(movement.amount))
    transaction = WalletTransaction(
        partner_id=wallet.partner_id,
        wallet_id=wallet.id,
        kind=movement.kind,
        amount=movement.amount,
        balance_after=balance,
        description=movement.description,
        reference=movement.reference,
        actor=actor.label,
        actor_user_id=actor.user_id,
    )
    session.add(transaction)
    await session.flush()
    legs = (
        (await _wallet_account(session, wallet_id), movement.amount),
        (await _counterpart(session, movement.counterpart), -movement.amount),
    )
    assert sum(amount for _, amount in legs) == 0
    for account_id, amount in legs:
        session.add(
            LedgerEntry(
                partner_id=wallet.partner_id, transaction_id=transaction.id, account_id=account_id, amount=amount
            )
        )
    await session.flush()
    return transaction


def _check_amount(amount: Decimal) -> None:
    if not amount.is_finite() or abs(amount) > LARGEST_MOVEMENT:
        raise InvalidCoins(f"one movement is at most {LARGEST_MOVEMENT} coins")
    if amount == 0 or amount != amount.quantize(COIN_STEP):
        raise InvalidCoins(f"{amount} is not an amount of coins: the smallest step is {COIN_STEP}")


async def _by_reference(session: AsyncSession, wallet_id: int, movement: Movement) -> WalletTransaction | None:
    same = (WalletTransaction.wallet_id == wallet_id, WalletTransaction.reference == movement.reference)
    earlier: WalletTransaction | None = await session.scalar(select(WalletTransaction).where(*same))
    if earlier is not None and (earlier.kind, earlier.amount) != (movement.kind, movement.amount):
        raise Conflict(f"the reference {movement.reference} was used for another movement of this wallet")
    return earlier


async def _wallet_account(session: AsyncSession, wallet_id: int) -> int:
    account: int | None = await session.scalar(select(LedgerAccount.id).where(LedgerAccount.wallet_id == wallet_id))
    assert account is not None, "a wallet is opened together with its account"
    return account


async def _counterpart(session: AsyncSession, kind: AccountKind) -> int:
    """The company's account of a kind; made by whoever needs it first."""
    wanted = select(LedgerAccount.id).where(LedgerAccount.kind == kind, LedgerAccount.wallet_id.is_(None))
    account: int | None = await session.scalar(wanted)
    if account is None:
        await session.execute(insert(LedgerAccount).values(kind=kind).on_conflict_do_nothing())
        account = await session.scalar(wanted)
    assert account is not None
    return account
