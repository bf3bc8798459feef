"""What a purchase of coins does: once paid, the coins come to the wallet; an automatic one that fails ends (WAL-5)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import SYSTEM, Principal
from domain.wallets import AccountKind, WalletTransactionKind
from ledger import post as ledger
from models import Install, Invoice, Wallet, WalletTopUp
from services import audit, events
from services.billing.cards import Card
from services.billing.orders import cancel


def purchase_reference(invoice_id: int) -> str:
    """The reference under which the coins of an invoice come to their wallet."""
    return f"invoice:{invoice_id}"


async def coins_paid(
    session: AsyncSession, actor: Principal, invoice: Invoice, install: Install, card: Card | None
) -> None:
    """Put the coins of a paid invoice into the wallet of its install; install and invoice are locked.

    The reference makes a repeat harmless, whoever settles the invoice. The card that paid is not kept: cards belong
    to subscriptions.
    """
    assert invoice.coins is not None
    wallet = await ledger.open_wallet(session, partner_id=install.partner_id, install_id=install.id)
    movement = ledger.Movement(
        kind=WalletTransactionKind.PURCHASE,
        amount=invoice.coins,
        counterpart=AccountKind.SALES,
        description=f"Bought by invoice {invoice.number}",
        reference=purchase_reference(invoice.id),
    )
    moved = await ledger.post(session, actor, wallet.id, movement)
    told = {
        "walletId": str(wallet.id),
        "coins": str(moved.amount),
        "balance": str(moved.balance_after),
        "kind": moved.kind.value,
        "invoiceNumber": invoice.number,
    }
    await events.emit(session, install, "wallet.credited", told)


async def top_up_wanted(session: AsyncSession, invoice: Invoice) -> bool:
    """Whether an invoice may be charged: not that of an automatic purchase that was switched off meanwhile."""
    if not invoice.top_up:
        return True
    rule = select(WalletTopUp.enabled).join(Wallet, Wallet.id == WalletTopUp.wallet_id)
    return bool(await session.scalar(rule.where(Wallet.install_id == invoice.install_id)))


async def top_up_failed(session: AsyncSession, invoice: Invoice, install: Install, reason: str) -> None:
    """Take back the invoice of an automatic purchase that no card pays, and buy nothing more; both are locked."""
    await cancel(session, SYSTEM, invoice, reason)
    await stop_top_up(session, install, reason)


async def stop_top_up(session: AsyncSession, install: Install, reason: str) -> None:
    """Switch the automatic purchase of a locked install off and tell its product why; a person switches it on again."""
    wallet = (await session.scalars(select(Wallet).where(Wallet.install_id == install.id).with_for_update())).one()
    rule = (await session.scalars(select(WalletTopUp).where(WalletTopUp.wallet_id == wallet.id))).one()
    rule.enabled, rule.stopped_because = False, reason
    wallet.top_up_threshold = None
    after = {"enabled": False, "stopped_because": reason}
    await audit.record(session, SYSTEM, "wallet.stop_top_up", wallet, before={"enabled": True}, after=after)
    await events.emit(session, install, "wallet.top_up_failed", {"walletId": str(wallet.id), "reason": reason})
