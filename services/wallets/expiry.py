"""What ends by itself: holds that nobody captured, and bonus coins whose time is over (WAL-2, WAL-4)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import SYSTEM
from domain.wallets import AccountKind, HoldStatus, WalletTransactionKind
from ledger.post import Movement, post
from models import Wallet, WalletHold, WalletLot
from services.wallets.holds import end_hold


async def expire_holds(session: AsyncSession, limit: int) -> int:
    """Give back what holds past their end hold; gives how many. Repeat until none is left."""
    due = (
        select(WalletHold, Wallet.install_id)
        .join(Wallet, Wallet.id == WalletHold.wallet_id)
        .where(WalletHold.status == HoldStatus.HELD, WalletHold.expires_at <= clock.now())
        .order_by(WalletHold.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=WalletHold)
    )
    # Batches of charges lock wallets in the order of installs too.
    ended = sorted((await session.execute(due)).all(), key=lambda row: row.install_id)
    for held, _ in ended:
        await end_hold(session, SYSTEM, held, HoldStatus.EXPIRED)
    return len(ended)


async def expire_lots(session: AsyncSession, limit: int) -> int:
    """Take coins whose time is over out of their wallets; gives how many lots. Repeat until none is left."""
    over = (WalletLot.open, WalletLot.expires_at <= clock.now())
    late = select(WalletLot.wallet_id).where(*over).limit(limit)
    wallets = select(Wallet.id).where(Wallet.id.in_(late)).order_by(Wallet.id)
    locked = list(await session.scalars(wallets.with_for_update(key_share=True, skip_locked=True)))
    lots = list(
        await session.scalars(
            select(WalletLot)
            .where(WalletLot.wallet_id.in_(locked), *over)
            .order_by(WalletLot.wallet_id, WalletLot.id)
            .execution_options(populate_existing=True)
        )
    )
    for lot in lots:
        movement = Movement(
            kind=WalletTransactionKind.EXPIRY,
            amount=-lot.remaining,
            counterpart=AccountKind.EXPIRY,
            description="Bonus expired",
            lots=[(lot.id, lot.remaining)],
        )
        await post(session, SYSTEM, lot.wallet_id, movement)
    return len(lots)
