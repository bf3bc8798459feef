"""Doors to wallets (WAL-3 to WAL-6)."""

from __future__ import annotations

from typing import Any

import strawberry

from core.database import transaction
from planner.binding import function_root
from planner.context import RunContext
from resolvers.inputs import key_of
from resolvers.mutation import MutationContext, mutation
from resolvers.values import open_after_commit
from schema.billing_inputs import InvoicePaymentPayload
from schema.wallet_inputs import (
    CoinPurchaseCreateInput,
    WalletAdjustInput,
    WalletGrantBonusInput,
    WalletHoldPayload,
    WalletHoldReleaseInput,
    WalletPayload,
    WalletSetLowThresholdInput,
    WalletSettingsPayload,
    WalletSetTopUpInput,
    WalletStatement,
    WalletStatementInput,
)
from services import wallets


async def wallet_statement(context: RunContext, input: WalletStatementInput) -> dict[str, Any]:
    """What a wallet held, what came and what went in a period (WAL-6)."""
    async with transaction(context.principal) as session:
        told = await wallets.statement(
            session,
            context.principal,
            wallet_id=key_of(input.wallet_id, "Wallet", "walletId"),
            start=input.from_,
            end=input.to,
        )
    return {
        "opening": told.opening,
        "credited": told.credited,
        "debited": told.debited,
        "closing": told.closing,
        "by_kind": [{"kind": kind, "amount": amount} for kind, amount in sorted(told.by_kind.items())],
    }


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


async def wallet_grant_bonus(context: MutationContext, input: WalletGrantBonusInput) -> dict[str, Any]:
    """Give a wallet bonus coins, which are spent before bought ones and may end at a moment (WAL-2)."""
    transaction = await wallets.grant_bonus(
        context.session,
        context.actor,
        wallet_id=key_of(input.id, "Wallet", "id"),
        amount=input.amount,
        reason=input.reason,
        expires_at=input.expires_at,
    )
    return {"wallet": transaction.wallet_id, "transaction": transaction.id}


async def coin_purchase_create(context: MutationContext, input: CoinPurchaseCreateInput) -> dict[str, Any]:
    """Buy a package of coins: an invoice and a payment link; the coins follow the payment (WAL-5)."""
    invoice, payment = await wallets.buy(
        context.session,
        context.actor,
        wallet_id=key_of(input.wallet_id, "Wallet", "walletId"),
        package_id=key_of(input.package_id, "CoinPackage", "packageId"),
    )
    open_after_commit(context, payment)
    return {"invoice": invoice.id, "payment": payment.id}


async def wallet_set_low_threshold(context: MutationContext, input: WalletSetLowThresholdInput) -> dict[str, Any]:
    """Say below which balance the product is told that a wallet runs low (WAL-6)."""
    wallet = await wallets.set_low_threshold(
        context.session, context.actor, wallet_id=key_of(input.id, "Wallet", "id"), threshold=input.threshold
    )
    return {"wallet": wallet.id}


async def wallet_set_top_up(context: MutationContext, input: WalletSetTopUpInput) -> dict[str, Any]:
    """Let a wallet buy a package by stored card whenever it falls below a balance, or stop it (WAL-5)."""
    rule = await wallets.set_top_up(
        context.session,
        context.actor,
        wallet_id=key_of(input.id, "Wallet", "id"),
        package_id=key_of(input.package_id, "CoinPackage", "packageId"),
        threshold=input.threshold,
        most_per_day=input.most_per_day,
        enabled=input.enabled,
    )
    return {"wallet": rule.wallet_id}


async def wallet_hold_release(context: MutationContext, input: WalletHoldReleaseInput) -> dict[str, Any]:
    """Give back what a product set aside and forgot (WAL-4)."""
    held = await wallets.release_by_staff(context.session, context.actor, hold_id=key_of(input.id, "WalletHold", "id"))
    return {"wallet_hold": held.id}


@strawberry.type(description="Queries of wallets beyond the tables.")
class WalletQueries:
    """Queries of wallets beyond the tables."""

    wallet_statement: Any = function_root(wallet_statement, WalletStatement, requires="wallet:read")


@strawberry.type(description="Mutations of wallets.")
class WalletMutations:
    """Mutations of wallets."""

    wallet_adjust: Any = mutation(wallet_adjust, WalletPayload, requires="wallet:adjust")
    wallet_grant_bonus: Any = mutation(wallet_grant_bonus, WalletPayload, requires="wallet:adjust")
    wallet_hold_release: Any = mutation(wallet_hold_release, WalletHoldPayload, requires="wallet:adjust")
    coin_purchase_create: Any = mutation(
        coin_purchase_create, InvoicePaymentPayload, requires="wallet:buy", as_application=True
    )
    wallet_set_low_threshold: Any = mutation(
        wallet_set_low_threshold, WalletSettingsPayload, requires="wallet:configure", as_application=True
    )
    wallet_set_top_up: Any = mutation(
        wallet_set_top_up, WalletSettingsPayload, requires="wallet:configure", as_application=True
    )
