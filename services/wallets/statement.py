"""The statement of a wallet for a period: what it held, what came, what went (WAL-6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import Principal
from domain import fields
from domain.wallets import WalletTransactionKind
from models import Wallet, WalletTransaction
from services.loading import load

NOTHING = Decimal("0.000")


@dataclass(frozen=True)
class Statement:
    """A period of a wallet, its start included and its end not.

    Parameters:
        credited: all that came; ``debited``: all that went, not negative.
        by_kind: the sum of each kind of movement there was.
    """

    opening: Decimal
    credited: Decimal
    debited: Decimal
    closing: Decimal
    by_kind: Mapping[WalletTransactionKind, Decimal]


async def statement(
    session: AsyncSession, actor: Principal, *, wallet_id: int, start: datetime, end: datetime
) -> Statement:
    """What happened to the coins of a wallet in a period.

    Raises:
        NotFound: no such wallet in the actor's scope.
        InvalidValue: the period ends before it begins.
    """
    if end <= start:
        raise fields.InvalidValue("the period must end after it begins", field=fields.path("to"))
    wallet = await load(session, actor, Wallet, wallet_id, field="walletId")
    last = (
        select(WalletTransaction.balance_after)
        .where(WalletTransaction.wallet_id == wallet.id, WalletTransaction.created_at < start)
        .order_by(WalletTransaction.created_at.desc(), WalletTransaction.id.desc())
        .limit(1)
    )
    opening = await session.scalar(last) or NOTHING
    moved = select(WalletTransaction.kind, func.sum(WalletTransaction.amount)).where(
        WalletTransaction.wallet_id == wallet.id,
        WalletTransaction.created_at >= start,
        WalletTransaction.created_at < end,
    )
    by_kind = {kind: total for kind, total in await session.execute(moved.group_by(WalletTransaction.kind))}
    credited = sum((total for total in by_kind.values() if total > 0), NOTHING)
    debited = -sum((total for total in by_kind.values() if total < 0), NOTHING)
    return Statement(opening, credited, debited, opening + credited - debited, by_kind)
