"""The notice that a wallet runs low: once a crossing of its threshold (WAL-6)."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from domain import fields
from models import Install, Wallet
from policies.scopes import require
from services import audit, events
from services.outbox import enqueue
from services.wallets.load import lock_wallet

LOW = "wallet.low"


async def set_low_threshold(
    session: AsyncSession, actor: Principal, *, wallet_id: int, threshold: Decimal | None
) -> Wallet:
    """Say below which balance notice is given, or that none is; a wallet that is below already is told of at once.

    Raises:
        NotFound: no such wallet in the actor's scope.
        InvalidAmount: negative, too fine or too large.
    """
    require(actor, "wallet:configure", "Mutation.walletSetLowThreshold")
    if threshold is not None:
        threshold = fields.amount(threshold, "threshold", places=fields.COIN_PLACES)
    _, wallet = await lock_wallet(session, actor, wallet_id, field="id")
    before = {"low_threshold": wallet.low_threshold}
    wallet.low_threshold = threshold
    below = threshold is not None and wallet.balance < threshold
    if not below:
        wallet.low_since = None
    elif wallet.low_since is None:
        wallet.low_since = clock.now()
        await enqueue(session, LOW, {"walletId": wallet.id}, partner_id=wallet.partner_id)
    await audit.record(
        session, actor, "wallet.set_low_threshold", wallet, before=before, after={"low_threshold": threshold}
    )
    return wallet


async def tell_low(session: AsyncSession, wallet_id: int) -> None:
    """Tell the product that a wallet runs low, unless it has been filled meanwhile."""
    install_id = await session.scalar(select(Wallet.install_id).where(Wallet.id == wallet_id))
    assert install_id is not None, "wallets are never deleted"
    install = await session.get_one(Install, install_id, with_for_update={"key_share": True})
    wallet = await session.get_one(Wallet, wallet_id, populate_existing=True)
    if wallet.low_since is None:
        return
    told = {"walletId": str(wallet.id), "balance": str(wallet.balance), "threshold": str(wallet.low_threshold)}
    await events.emit(session, install, "wallet.low", told)
