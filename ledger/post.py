"""The only writer of the coin journal: moves coins between a wallet and a counterpart account (WAL-2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Numeric, Text, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict, UserError
from core.principal import Principal
from domain.wallets import COIN_STEP, AccountKind, WalletTransactionKind
from models import LedgerAccount, LedgerEntry, Wallet, WalletTransaction

LARGEST_MOVEMENT = Decimal("999999999.999")

_MOVE = text(
    """
    SELECT * FROM move_coins(:wallet, :kind, :coins, :counterpart, :told, :key, :actor, :user, :at, :ends, :lots,
                             :shares, :quiet)
    """
).bindparams(
    bindparam("wallet", type_=BigInteger()),
    *(bindparam(name, type_=Text()) for name in ("kind", "counterpart", "told", "key", "actor")),
    bindparam("coins", type_=Numeric()),
    bindparam("user", type_=BigInteger()),
    *(bindparam(name, type_=DateTime(timezone=True)) for name in ("at", "ends")),
    bindparam("lots", type_=ARRAY(BigInteger())),
    bindparam("shares", type_=ARRAY(Numeric())),
    bindparam("quiet", type_=Boolean()),
)


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
        expires_at: when a credit's coins are lost unless spent; None for never.
        lots: which lots the coins come to or are taken from, and how many; None for a new lot, or the order of
            spending.
        quiet: whether thresholds are left alone, because another movement follows in the same transaction.
    """

    kind: WalletTransactionKind
    amount: Decimal
    counterpart: AccountKind
    description: str
    reference: str | None = None
    expires_at: datetime | None = None
    lots: Sequence[tuple[int, Decimal]] | None = None
    quiet: bool = False


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
    """Move coins under the wallet's lock: balance, totals, lots, transaction and legs in one call of the database.

    Raises:
        InvalidCoins: the amount is zero, too fine or too large.
        InsufficientCoins: names the balance and the request.
        Conflict: the reference was used for another movement.
    """
    check_amount(movement.amount)
    given = {
        "wallet": wallet_id,
        "kind": movement.kind.value,
        "coins": movement.amount,
        "counterpart": movement.counterpart.value,
        "told": movement.description,
        "key": movement.reference,
        "actor": actor.label,
        "user": actor.user_id,
        "at": clock.now(),
        "ends": movement.expires_at,
        "lots": None if movement.lots is None else [lot_id for lot_id, _ in movement.lots],
        "shares": None if movement.lots is None else [share for _, share in movement.lots],
        "quiet": movement.quiet,
    }
    await session.flush()
    moved = (await session.execute(_MOVE, given)).one()
    if moved.outcome == "INSUFFICIENT":
        raise InsufficientCoins(f"the wallet holds {moved.balance_then} and {-movement.amount} were asked for")
    if moved.outcome == "REFERENCE_REUSED":
        raise Conflict(f"the reference {movement.reference} was used for another movement of this wallet")
    assert moved.outcome in ("MOVED", "REPEATED"), f"the wallet {wallet_id} is gone"
    await session.get_one(Wallet, wallet_id, populate_existing=True)
    return await session.get_one(WalletTransaction, moved.moved_id)


async def lots_of(session: AsyncSession, transaction_id: int) -> list[tuple[int, Decimal]]:
    """The lots that a movement took coins from or gave them to, with the amounts, in the order of spending."""
    wanted = (
        select(LedgerEntry.lot_id, func.abs(LedgerEntry.amount))
        .where(LedgerEntry.transaction_id == transaction_id, LedgerEntry.lot_id.is_not(None))
        .order_by(LedgerEntry.id)
    )
    return [(lot_id, share) for lot_id, share in await session.execute(wanted)]


def check_amount(amount: Decimal) -> None:
    """Make sure that an amount can be moved.

    Raises:
        InvalidCoins: zero, finer than the step, too large, or not a number.
    """
    if not amount.is_finite() or abs(amount) > LARGEST_MOVEMENT:
        raise InvalidCoins(f"one movement is at most {LARGEST_MOVEMENT} coins")
    if amount == 0 or amount != amount.quantize(COIN_STEP):
        raise InvalidCoins(f"{amount} is not an amount of coins: the smallest step is {COIN_STEP}")
