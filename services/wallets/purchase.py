"""Coins bought: an invoice for a package, paid by link or by stored card (WAL-5)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict
from core.principal import Principal
from domain import fields
from domain.billing import InvoiceKind
from domain.install_actions import WalletAction, wallet_blocked
from models import CoinPackage, Install, Invoice, Partner, Payment, Wallet
from policies.scopes import require
from services.billing.issue import Draft, DraftLine, issue_invoice
from services.billing.payments import new_payment
from services.loading import load
from services.partner_standing import PartnerNotAllowed
from services.wallets.load import lock_wallet


class PackageNotOffered(Conflict):
    """The package is withdrawn, or sold for another product."""

    code = "PACKAGE_NOT_OFFERED"


async def buy(session: AsyncSession, actor: Principal, *, wallet_id: int, package_id: int) -> tuple[Invoice, Payment]:
    """Bill a package of coins, with a payment whose link the gateway gives after commit; coins follow the payment.

    Raises:
        NotFound: no such wallet in the actor's scope, or no such package.
        PackageNotOffered: the package is not sold for this wallet.
        Conflict: the install is disabled.
    """
    require(actor, "wallet:buy", "Mutation.coinPurchaseCreate")
    install, wallet = await lock_wallet(session, actor, wallet_id, field="walletId")
    partner = await session.scalar(select(Partner.status).where(Partner.id == install.partner_id))
    assert partner is not None
    blocked = wallet_blocked(WalletAction.BUY_COINS, install.status, partner)
    if blocked is not None:
        failure = PartnerNotAllowed if blocked.code == PartnerNotAllowed.code else Conflict
        raise failure(blocked.message, field=fields.path("walletId"))
    package = await load(session, actor, CoinPackage, package_id, field="packageId")
    check_offer(package, install)
    invoice = await bill(session, actor, install, wallet, package)
    return invoice, await new_payment(session, invoice, source=actor.label)


def check_offer(package: CoinPackage, install: Install) -> None:
    """Make sure that a package may be bought for an install.

    Raises:
        PackageNotOffered: it is withdrawn, or sold for another product.
    """
    if not package.active:
        raise PackageNotOffered("the package is no longer on sale", field=fields.path("packageId"))
    if package.product_id is not None and package.product_id != install.product_id:
        raise PackageNotOffered("the package is sold for another product", field=fields.path("packageId"))


async def bill(
    session: AsyncSession,
    actor: Principal,
    install: Install,
    wallet: Wallet,
    package: CoinPackage,
    *,
    top_up: bool = False,
    due_at: datetime | None = None,
) -> Invoice:
    """Issue the invoice of a package; it keeps price and coins as they are now."""
    line = DraftLine(
        description=f"{package.name}: {package.coins.normalize():f} FC",
        quantity=Decimal(1),
        unit_price=package.price,
        amount=package.price,
    )
    draft = Draft(
        partner_id=wallet.partner_id,
        install_id=install.id,
        kind=InvoiceKind.COIN_PURCHASE,
        currency=package.currency,
        coin_package_id=package.id,
        coins=package.coins,
        top_up=top_up,
        auto_renew=False,
        due_at=due_at,
        lines=(line,),
    )
    return await issue_invoice(session, actor, draft)
