"""Coins of a purchase taken back when its money is given back: only those that are still there (INV-2, WAL-5)."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict
from core.principal import Principal
from domain.refunds import RefundedCoins, RefundStatus, coins_of, money_for
from domain.wallets import AccountKind, WalletTransactionKind
from ledger.post import Movement, post
from models import Invoice, LedgerEntry, Refund, Wallet, WalletLot, WalletTransaction
from services.billing.coins import purchase_reference


class CoinsSpent(Conflict):
    """Fewer coins of the purchase are left than the refund would take back.

    Parameters:
        coins_left: coins of the purchase that are still in the wallet.
        refundable: the largest refund that they pay for, in the invoice's currency.
    """

    code = "COINS_SPENT"

    def __init__(self, asked: Decimal, coins_left: Decimal, refundable: Decimal, currency: str) -> None:
        super().__init__(
            f"{asked} coins of this purchase would be taken back and {coins_left} are still there; refund at most "
            f"{refundable} {currency}, or give the money back and leave the coins",
            field=("input", "amount"),
        )
        self.coins_left = coins_left
        self.refundable = refundable


async def take_back(
    session: AsyncSession, actor: Principal, *, invoice: Invoice, amount: Decimal, reference: str
) -> WalletTransaction | None:
    """Take the coins that a refund of ``amount`` stands for out of the wallet; install and invoice are locked.

    Coins follow the money in proportion, all refunds together: parts that sum to the whole take every coin.

    Parameters:
        amount: money given back, in the invoice's currency.
        reference: key of the refund; repeating it changes nothing.

    Raises:
        CoinsSpent: not enough of them are still there; says how many are, and what may be refunded.
    """
    lot, taken = await _lot(session, invoice)
    earlier: WalletTransaction | None = await session.scalar(
        select(WalletTransaction).where(
            WalletTransaction.wallet_id == lot.wallet_id, WalletTransaction.reference == f"refund:{reference}"
        )
    )
    if earlier is not None:
        return earlier
    assert invoice.coins is not None
    before = await _money_before(session, invoice, but=reference)
    coins = coins_of(invoice.coins, invoice.total, before + amount) - taken
    if coins <= 0:
        return None
    if coins > lot.remaining:
        most = money_for(invoice.coins, invoice.total, taken + lot.remaining) - before
        raise CoinsSpent(coins, lot.remaining, max(most, Decimal(0)), invoice.currency)
    movement = Movement(
        kind=WalletTransactionKind.REFUND,
        amount=-coins,
        counterpart=AccountKind.REFUND,
        description=f"Refund of invoice {invoice.number}",
        reference=f"refund:{reference}",
        lots=[(lot.id, coins)],
    )
    return await post(session, actor, lot.wallet_id, movement)


async def give_back(
    session: AsyncSession, actor: Principal, *, invoice: Invoice, coins: Decimal, reference: str
) -> None:
    """Return the coins that were taken for a refund that the gateway refused, to the lot that they came from."""
    lot, _ = await _lot(session, invoice)
    movement = Movement(
        kind=WalletTransactionKind.REFUND,
        amount=coins,
        counterpart=AccountKind.REFUND,
        description=f"Refund of invoice {invoice.number} was refused",
        reference=f"refund-refused:{reference}",
        lots=[(lot.id, coins)],
    )
    await post(session, actor, lot.wallet_id, movement)


async def taken_back_at_most(session: AsyncSession, invoice: Invoice) -> Decimal:
    """The largest refund of a coin purchase that the coins still there pay for, in the invoice's currency."""
    assert invoice.coins is not None
    lot, taken = await _lot(session, invoice)
    most = money_for(invoice.coins, invoice.total, taken + lot.remaining)
    return max(most - await _money_before(session, invoice), Decimal("0.00"))


async def _money_before(session: AsyncSession, invoice: Invoice, *, but: str | None = None) -> Decimal:
    """The money of refunds that took coins, or will have: all that did not fail, without the one of the key ``but``."""
    amounts = await session.scalars(
        select(Refund.amount).where(
            Refund.invoice_id == invoice.id,
            Refund.coins == RefundedCoins.TAKE_BACK,
            Refund.status != RefundStatus.FAILED,
            Refund.key != (but or ""),
        )
    )
    return sum(amounts, Decimal(0))


async def _lot(session: AsyncSession, invoice: Invoice) -> tuple[WalletLot, Decimal]:
    """The locked lot of the purchase, and how many of its coins earlier refunds took."""
    wallet_id = (
        await session.scalars(select(Wallet.id).where(Wallet.install_id == invoice.install_id).with_for_update())
    ).one()
    bought = select(WalletTransaction.id).where(
        WalletTransaction.wallet_id == wallet_id, WalletTransaction.reference == purchase_reference(invoice.id)
    )
    lot = (await session.scalars(select(WalletLot).where(WalletLot.transaction_id.in_(bought)))).one()
    await session.refresh(lot)
    taken = await session.scalar(
        select(func.coalesce(-func.sum(LedgerEntry.amount), Decimal(0)))
        .join(WalletTransaction, WalletTransaction.id == LedgerEntry.transaction_id)
        .where(LedgerEntry.lot_id == lot.id, WalletTransaction.kind == WalletTransactionKind.REFUND)
    )
    assert taken is not None
    return lot, taken
