"""Wallets: coins moved by staff (WAL-3)."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import UserError
from core.principal import Principal
from domain import fields
from domain.wallets import AccountKind, WalletTransactionKind
from ledger.post import Movement, post
from models import Wallet, WalletTransaction
from policies.scopes import require
from services import audit
from services.billing.locks import load

LONGEST_REASON = 500


async def adjust(
    session: AsyncSession,
    actor: Principal,
    *,
    wallet_id: int,
    amount: Decimal,
    reason: str,
    reference: str | None = None,
) -> WalletTransaction:
    """Credit a wallet, or debit it with a negative amount, marked as done by staff (WAL-3).

    Parameters:
        amount: coins, at least 0.001 either way, with at most three decimals.
        reference: the caller's key; repeating it changes nothing.

    Raises:
        NotFound: no such wallet.
        InvalidCoins: zero, too fine or too large.
        InsufficientCoins: the wallet holds less; names both.
        InvalidValue: the reason is empty, longer than 500 characters, or more than one line.
    """
    require(actor, "wallet:adjust", "Mutation.walletAdjust")
    reason = fields.line(reason, "reason", most_chars=LONGEST_REASON)
    wallet = await load(session, actor, Wallet, wallet_id, field="id", lock=True)
    before = wallet.balance
    credit = not amount.is_signed()
    movement = Movement(
        kind=WalletTransactionKind.ADJUSTMENT_CREDIT if credit else WalletTransactionKind.ADJUSTMENT_DEBIT,
        amount=amount,
        counterpart=AccountKind.ADJUSTMENT,
        description=reason,
        reference=reference,
    )
    try:
        transaction = await post(session, actor, wallet.id, movement)
    except UserError as refused:
        refused.field = refused.field or ("input", "amount")
        raise
    told = {"balance": wallet.balance, "amount": amount, "reason": reason}
    await audit.record(session, actor, "wallet.adjust", wallet, before={"balance": before}, after=told)
    return transaction
