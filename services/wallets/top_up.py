"""Wallets that fill themselves by the stored card of their install's subscription (WAL-5).

What decides is read under the wallet's lock, and one open purchase a wallet is a constraint of the database: however
many charges, retries and workers cross the threshold at once, coins are bought once.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import SYSTEM, Principal
from domain import fields
from domain.billing import WAITING_INVOICE, InvoiceStatus
from domain.installs import InstallStatus
from domain.partners import PartnerMay
from models import CoinPackage, Install, Invoice, Wallet, WalletTopUp
from policies.scopes import require
from services import audit
from services.billing.cards import CardGatewayGone, NoStoredCard, check_card
from services.billing.charging import CHARGE
from services.billing.coins import stop_top_up
from services.loading import load
from services.outbox import enqueue
from services.partner_standing import standing_allows
from services.wallets.load import lock_wallet
from services.wallets.purchase import bill, check_offer

TOP_UP = "wallet.top_up"
MOST_PER_DAY = 100
DAY = timedelta(days=1)


async def set_top_up(
    session: AsyncSession,
    actor: Principal,
    *,
    wallet_id: int,
    package_id: int,
    threshold: Decimal,
    most_per_day: int,
    enabled: bool,
) -> WalletTopUp:
    """Say which package is bought below which balance, and how often at most; a wallet below it buys at once.

    Raises:
        NotFound: no such wallet in the actor's scope, or no such package.
        PackageNotOffered: the package is not sold for this wallet.
        NoStoredCard, CardGatewayGone: it is switched on, and there is nothing to charge.
        InvalidAmount, InvalidValue: the threshold or the limit is not fit.
    """
    require(actor, "wallet:configure", "Mutation.walletSetTopUp")
    threshold = fields.amount(threshold, "threshold", places=fields.COIN_PLACES)
    fields.whole(most_per_day, "mostPerDay", least=1, most=MOST_PER_DAY)
    install, wallet = await lock_wallet(session, actor, wallet_id, field="id")
    package = await load(session, actor, CoinPackage, package_id, field="packageId")
    check_offer(package, install)
    if enabled:
        await check_card(session, install, field=fields.path("id"))
    values = {
        "coin_package_id": package.id,
        "threshold": threshold,
        "most_per_day": most_per_day,
        "enabled": enabled,
        "stopped_because": None,
    }
    given = insert(WalletTopUp).values(partner_id=wallet.partner_id, wallet_id=wallet.id, **values)
    kept = given.on_conflict_do_update(
        index_elements=[WalletTopUp.wallet_id], set_={**values, "updated_at": func.now()}
    )
    rule = (await session.scalars(kept.returning(WalletTopUp), execution_options={"populate_existing": True})).one()
    wallet.top_up_threshold = threshold if enabled else None
    if enabled and wallet.balance < threshold:
        await enqueue(session, TOP_UP, {"walletId": wallet.id}, partner_id=wallet.partner_id)
    await audit.record(session, actor, "wallet.set_top_up", wallet, before=None, after=values)
    return rule


async def fill_up(session: AsyncSession, wallet_id: int) -> Invoice | None:
    """Buy the wallet's package by stored card, if its ledger still says that it is due; safe to call again."""
    install_id = await session.scalar(select(Wallet.install_id).where(Wallet.id == wallet_id))
    install = await session.get_one(Install, install_id, with_for_update={"key_share": True})
    wallet = await session.get_one(Wallet, wallet_id, with_for_update={"key_share": True}, populate_existing=True)
    rule: WalletTopUp | None = await session.scalar(select(WalletTopUp).where(WalletTopUp.wallet_id == wallet_id))
    if rule is None or not rule.enabled or install.status == InstallStatus.DISABLED:
        return None
    if not await standing_allows(session, wallet.partner_id, PartnerMay.RENEW):
        return None
    spendable = await session.scalar(select(func.spendable_coins(wallet_id, clock.now())))
    assert spendable is not None
    if spendable >= rule.threshold or await _is_buying(session, install, rule):
        return None
    try:
        await check_card(session, install)
    except (NoStoredCard, CardGatewayGone) as refused:
        await stop_top_up(session, install, refused.code)
        return None
    package = await load(session, SYSTEM, CoinPackage, rule.coin_package_id)
    if not package.active:
        await stop_top_up(session, install, "PACKAGE_WITHDRAWN")
        return None
    invoice = await bill(session, SYSTEM, install, wallet, package, top_up=True, due_at=clock.now())
    invoice.next_charge_at = clock.now()
    await enqueue(
        session,
        CHARGE,
        {"invoiceId": invoice.id},
        ordering_key=f"{CHARGE}:{invoice.id}",
        partner_id=invoice.partner_id,
    )
    return invoice


async def sweep_top_ups(session: AsyncSession, limit: int) -> int:
    """Ask again for wallets below their threshold that buy nothing, for a new day has come; gives how many."""
    open_purchase = select(Invoice.id).where(
        Invoice.install_id == Wallet.install_id, Invoice.top_up, Invoice.status.in_(WAITING_INVOICE)
    )
    low = select(Wallet.id, Wallet.partner_id).where(
        Wallet.top_up_threshold.is_not(None), Wallet.balance < Wallet.top_up_threshold, ~open_purchase.exists()
    )
    found = (await session.execute(low.order_by(Wallet.id).limit(limit))).all()
    for wallet_id, partner_id in found:
        await enqueue(session, TOP_UP, {"walletId": wallet_id}, partner_id=partner_id)
    return len(found)


async def _is_buying(session: AsyncSession, install: Install, rule: WalletTopUp) -> bool:
    """Whether a purchase is under way, or the day has had its share of them."""
    since = clock.now() - DAY
    recent = select(Invoice.status).where(
        Invoice.install_id == install.id, Invoice.top_up, Invoice.status.in_(WAITING_INVOICE) | (Invoice.due_at > since)
    )
    states = (await session.scalars(recent)).all()
    if any(status in WAITING_INVOICE for status in states):
        return True
    return sum(status != InvoiceStatus.CANCELED for status in states) >= rule.most_per_day
