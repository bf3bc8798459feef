"""Loads a wallet in the caller's scope, locked in the one order: install, then wallet."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.principal import Principal
from domain import fields
from models import Install, Wallet
from policies.scopes import scoped
from services.loading import load


async def lock_wallet(session: AsyncSession, actor: Principal, wallet_id: int, *, field: str) -> tuple[Install, Wallet]:
    """A wallet with its install, both kept from others until the transaction ends.

    Parameters:
        field: name of the input field that gave the key, for the error.

    Raises:
        NotFound: it does not exist, or is out of the actor's scope.
    """
    of_wallet = scoped(select(Wallet.install_id).where(Wallet.id == wallet_id), Wallet, actor)
    install_id: int | None = await session.scalar(of_wallet)
    if install_id is None:
        raise NotFound.of("Wallet", field=fields.path(field))
    install = await load(session, actor, Install, install_id, field=field, lock=True)
    return install, await load(session, actor, Wallet, wallet_id, field=field, lock=True)
