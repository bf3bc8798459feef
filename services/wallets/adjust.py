"""Coins moved by staff: corrections and bonuses (WAL-3)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import UserError
from core.principal import Principal
from domain import fields
from domain.wallets import AccountKind, WalletTransactionKind
from ledger.post import InvalidCoins, Movement, post
from models import WalletTransaction
from policies.scopes import require
from services import audit, events
from services.wallets.load import lock_wallet

LONGEST_REASON = 500


async def adjust(
    session: AsyncSession,
    actor: Principal,
    *,
    wallet_id: int,
    amount: Decimal,
    reason: str,
) -> WalletTransaction:
    """Credit a wallet, or debit it with a negative amount, marked as done by staff (WAL-3).

    Parameters:
        amount: coins, at least 0.001 either way, with at most three decimals.

    Raises:
        NotFound: no such wallet.
        InvalidCoins: zero, too fine or too large.
        InsufficientCoins: the wallet holds less; names both.
        InvalidValue: the reason is empty, longer than 500 characters, or more than one line.
    """
    require(actor, "wallet:adjust", "Mutation.walletAdjust")
    reason = fields.line(reason, "reason", most_chars=LONGEST_REASON)
    credit = not amount.is_signed()
    movement = Movement(
        kind=WalletTransactionKind.ADJUSTMENT_CREDIT if credit else WalletTransactionKind.ADJUSTMENT_DEBIT,
        amount=amount,
        counterpart=AccountKind.ADJUSTMENT,
        description=reason,
    )
    return await _move(session, actor, wallet_id, movement, "wallet.adjust")


async def grant_bonus(
    session: AsyncSession,
    actor: Principal,
    *,
    wallet_id: int,
    amount: Decimal,
    reason: str,
    expires_at: datetime | None = None,
) -> WalletTransaction:
    """Give a wallet bonus coins, which are spent before bought ones and may end at a moment.

    Raises:
        NotFound: no such wallet.
        InvalidCoins: not more than nothing, too fine or too large.
        InvalidValue: the reason is not fit, or the end is not in the future.
    """
    require(actor, "wallet:adjust", "Mutation.walletGrantBonus")
    reason = fields.line(reason, "reason", most_chars=LONGEST_REASON)
    if not amount > 0:
        raise InvalidCoins("a bonus is more than nothing", field=fields.path("amount"))
    if expires_at is not None and expires_at <= clock.now():
        raise fields.InvalidValue("the bonus must end in the future", field=fields.path("expiresAt"))
    movement = Movement(
        kind=WalletTransactionKind.BONUS,
        amount=amount,
        counterpart=AccountKind.BONUS,
        description=reason,
        expires_at=expires_at,
    )
    return await _move(session, actor, wallet_id, movement, "wallet.grant_bonus")


async def _move(
    session: AsyncSession, actor: Principal, wallet_id: int, movement: Movement, action: str
) -> WalletTransaction:
    install, wallet = await lock_wallet(session, actor, wallet_id, field="id")
    before = wallet.balance
    try:
        moved = await post(session, actor, wallet.id, movement)
    except UserError as refused:
        refused.field = refused.field or fields.path("amount")
        raise
    told = {"balance": wallet.balance, "amount": movement.amount, "reason": movement.description}
    await audit.record(session, actor, action, wallet, before={"balance": before}, after=told)
    event = "wallet.credited" if moved.amount > 0 else "wallet.debited"
    coins = {"coins": str(abs(moved.amount)), "balance": str(moved.balance_after), "kind": moved.kind.value}
    await events.emit(session, install, event, {"walletId": str(wallet.id), **coins})
    return moved
