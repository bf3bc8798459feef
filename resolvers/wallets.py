"""Doors to wallets (WAL-3)."""

from __future__ import annotations

from typing import Any

import strawberry

from resolvers.inputs import key_of
from resolvers.mutation import MutationContext, mutation
from schema.wallet_inputs import WalletAdjustInput, WalletPayload
from services import wallets


async def wallet_adjust(context: MutationContext, input: WalletAdjustInput) -> dict[str, Any]:
    """Credit or debit a wallet by hand, with a reason (WAL-3)."""
    transaction = await wallets.adjust(
        context.session,
        context.actor,
        wallet_id=key_of(input.id, "Wallet", "id"),
        amount=input.amount,
        reason=input.reason,
    )
    return {"wallet": transaction.wallet_id, "transaction": transaction.id}


@strawberry.type(description="Mutations of wallets.")
class WalletMutations:
    """Mutations of wallets."""

    wallet_adjust: Any = mutation(wallet_adjust, WalletPayload, requires="wallet:adjust")
