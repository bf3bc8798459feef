"""Holds: coins set aside for what is not finished, then spent in whole or part, or given back (WAL-4)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict, NotFound, UserError
from core.principal import Principal
from domain import fields
from domain.installs import InstallStatus
from domain.partners import PartnerMay, PartnerStatus, allows
from domain.wallets import COIN_STEP, AccountKind, HoldStatus, WalletTransactionKind
from ledger.post import InvalidCoins, Movement, check_amount, lots_of, post
from models import Install, Partner, Wallet, WalletHold
from policies.scopes import require
from services import audit, events
from services.partner_standing import PartnerNotAllowed
from services.wallets.usage import InstallDisabled, KeyReused, WalletMissing, product_of

SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(days=30)
DEFAULT_LIFE = timedelta(hours=1)


class HoldNotOpen(Conflict):
    """The hold was captured, released, or has ended."""

    code = "HOLD_NOT_OPEN"


class CaptureTooLarge(UserError):
    """More was to be captured than is held."""

    code = "CAPTURE_EXCEEDS_HOLD"


async def hold(
    session: AsyncSession,
    actor: Principal,
    *,
    install_id: int,
    amount: Decimal,
    key: str,
    description: str,
    life: timedelta = DEFAULT_LIFE,
) -> tuple[WalletHold, bool]:
    """Set coins of an install of the product aside; gives the hold, and whether this call made it.

    Parameters:
        key: a second hold of the wallet under it is the first one.
        life: when it ends by itself, one second to thirty days from now.

    Raises:
        NotFound, WalletMissing: no such install of the product, or no wallet.
        InstallDisabled: the install was uninstalled.
        PartnerNotAllowed: the partner is blocked or archived.
        InsufficientCoins: names the balance and the request.
        InvalidCoins: not an amount of coins.
        KeyReused: the key stands for a hold of another amount.
    """
    check_amount(amount)
    if not SHORTEST <= life <= LONGEST:
        raise fields.InvalidValue("a hold lives one second to thirty days", field=("expiresInSeconds",))
    status, standing, wallet = await _wallet_of(session, actor, install_id)
    # Those who ask under the same key at once come one after another.
    await session.get_one(Wallet, wallet.id, with_for_update={"key_share": True}, populate_existing=True)
    earlier: WalletHold | None = await session.scalar(
        select(WalletHold).where(WalletHold.wallet_id == wallet.id, WalletHold.key == key)
    )
    if earlier is not None:
        if earlier.amount != amount:
            raise KeyReused("this key was used for a hold of another amount", field=("idempotencyKey",))
        return earlier, False
    if status == InstallStatus.DISABLED:
        raise InstallDisabled("the install was uninstalled", field=("installId",))
    if not allows(standing, PartnerMay.USE):
        raise PartnerNotAllowed("the partner's standing does not allow it", field=("installId",))
    movement = Movement(
        kind=WalletTransactionKind.HOLD,
        amount=-amount,
        counterpart=AccountKind.HOLD,
        description=description,
        reference=f"hold:{key}",
    )
    moved = await post(session, actor, wallet.id, movement)
    made = WalletHold(
        partner_id=wallet.partner_id,
        wallet_id=wallet.id,
        key=key,
        amount=amount.quantize(COIN_STEP),
        description=description,
        expires_at=clock.now() + life,
        transaction_id=moved.id,
    )
    session.add(made)
    await session.flush()
    return made, True


async def capture(
    session: AsyncSession, actor: Principal, *, hold_id: int, amount: Decimal | None = None
) -> WalletHold:
    """Spend what is held, or a part of it and give the rest back; the same capture twice is one.

    The journal says it in two movements of one transaction: the hold is released to its lots, and what is captured is
    taken from them. So a capture never fails for want of coins, whatever else was charged meanwhile.

    Raises:
        NotFound: the product has no such hold.
        HoldNotOpen: it was captured otherwise, released, or has ended.
        CaptureTooLarge: more than is held.
        InvalidCoins: not an amount of coins.
    """
    held = await find_hold(session, actor, hold_id, lock=True)
    wanted = held.amount if amount is None else amount
    check_amount(wanted)
    if wanted < 0:
        raise InvalidCoins("a capture is more than nothing", field=("amount",))
    if wanted > held.amount:
        raise CaptureTooLarge(f"{held.amount} are held and {wanted} were to be captured", field=("amount",))
    if held.status == HoldStatus.CAPTURED and held.captured_amount == wanted:
        return held
    _check_open(held)
    lots = await _give_back(session, actor, held, quiet=True)
    taken, needed = [], wanted
    for lot_id, share in lots:
        if needed > 0:
            taken.append((lot_id, min(share, needed)))
            needed -= share
    usage = Movement(
        kind=WalletTransactionKind.USAGE,
        amount=-wanted,
        counterpart=AccountKind.USAGE,
        description=held.description,
        reference=f"capture:{held.id}",
        lots=taken,
    )
    await post(session, actor, held.wallet_id, usage)
    _close(held, HoldStatus.CAPTURED)
    held.captured_amount = wanted.quantize(COIN_STEP)
    await session.flush()
    return held


async def release(session: AsyncSession, actor: Principal, *, hold_id: int) -> WalletHold:
    """Give back what is held; twice is once.

    Raises:
        NotFound: the product has no such hold.
        HoldNotOpen: it was captured.
    """
    held = await find_hold(session, actor, hold_id, lock=True)
    if held.status in (HoldStatus.RELEASED, HoldStatus.EXPIRED):
        return held
    if held.status != HoldStatus.HELD:
        raise HoldNotOpen(f"the hold is {held.status}", field=("hold",))
    return await end_hold(session, actor, held, HoldStatus.RELEASED)


async def release_by_staff(session: AsyncSession, actor: Principal, *, hold_id: int) -> WalletHold:
    """Give back what a product forgot to release.

    Raises:
        NotFound: there is no such hold.
        HoldNotOpen: it was captured or released, or has ended.
    """
    require(actor, "wallet:adjust", "Mutation.walletHoldRelease")
    wallet_id = await session.scalar(select(WalletHold.wallet_id).where(WalletHold.id == hold_id))
    if wallet_id is None:
        raise NotFound.of("WalletHold", field=fields.path("id"))
    install_id = await session.scalar(select(Wallet.install_id).where(Wallet.id == wallet_id))
    install = await session.get_one(Install, install_id, with_for_update={"key_share": True})
    held = await session.get_one(WalletHold, hold_id, with_for_update=True, populate_existing=True)
    if held.status != HoldStatus.HELD:
        raise HoldNotOpen(f"the hold is {held.status}", field=fields.path("id"))
    await end_hold(session, actor, held, HoldStatus.RELEASED)
    after = {"status": held.status, "amount": held.amount}
    await audit.record(session, actor, "wallet_hold.release", held, before={"status": HoldStatus.HELD}, after=after)
    told = {"walletId": str(held.wallet_id), "holdId": str(held.id), "coins": str(held.amount), "kind": "RELEASE"}
    await events.emit(session, install, "wallet.credited", told)
    return held


async def end_hold(session: AsyncSession, actor: Principal, held: WalletHold, status: HoldStatus) -> WalletHold:
    """Give back what a locked, open hold holds."""
    await _give_back(session, actor, held, quiet=False)
    _close(held, status)
    await session.flush()
    return held


async def find_hold(session: AsyncSession, actor: Principal, hold_id: int, *, lock: bool = False) -> WalletHold:
    """A hold at an install of the product.

    Raises:
        NotFound: the product has none of this key.
    """
    wanted = (
        select(WalletHold)
        .join(Wallet, Wallet.id == WalletHold.wallet_id)
        .join(Install, Install.id == Wallet.install_id)
        .where(WalletHold.id == hold_id, Install.product_id == product_of(actor))
        .execution_options(populate_existing=True)
    )
    found: WalletHold | None = await session.scalar(wanted.with_for_update(of=WalletHold) if lock else wanted)
    if found is None:
        raise NotFound.of("Hold", field=("hold",))
    return found


async def _wallet_of(
    session: AsyncSession, actor: Principal, install_id: int
) -> tuple[InstallStatus, PartnerStatus, Wallet]:
    wanted = (
        select(Install.status, Partner.status, Wallet)
        .select_from(Install)
        .join(Partner, Partner.id == Install.partner_id)
        .outerjoin(Wallet, Wallet.install_id == Install.id)
        .where(Install.id == install_id, Install.product_id == product_of(actor))
    )
    row = (await session.execute(wanted)).one_or_none()
    if row is None:
        raise NotFound.of("Install", field=("installId",))
    status, standing, wallet = row
    if wallet is None:
        raise WalletMissing("the install has no wallet", field=("installId",))
    return status, standing, wallet


async def _give_back(
    session: AsyncSession, actor: Principal, held: WalletHold, *, quiet: bool
) -> list[tuple[int, Decimal]]:
    """Release the whole hold to the lots that it was taken from; gives them."""
    lots = await lots_of(session, held.transaction_id)
    movement = Movement(
        kind=WalletTransactionKind.RELEASE,
        amount=held.amount,
        counterpart=AccountKind.HOLD,
        description=held.description,
        reference=f"release:{held.id}",
        lots=lots,
        quiet=quiet,
    )
    await post(session, actor, held.wallet_id, movement)
    return lots


def _check_open(held: WalletHold) -> None:
    if held.status != HoldStatus.HELD:
        raise HoldNotOpen(f"the hold is {held.status}", field=("hold",))
    if held.expires_at <= clock.now():
        raise HoldNotOpen("the hold has ended", field=("hold",))


def _close(held: WalletHold, status: HoldStatus) -> None:
    held.status = status
    held.closed_at = clock.now()
