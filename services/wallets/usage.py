"""What product back ends do with wallets: charge now, charge many, ask the balance (WAL-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from core import clock
from core.database import read_pool, statement_pool
from core.errors import Conflict, NotFound, UserError
from core.principal import Principal
from ledger import charge as ledger
from ledger.charge import Charge, Charged, Outcome
from ledger.post import InsufficientCoins
from services.partner_standing import PartnerNotAllowed

REFERENCE = "usage:"
MOST_AT_ONCE = 1_000


class WalletMissing(NotFound):
    """The install has no wallet: it was never activated, or its product has none."""

    code = "WALLET_NOT_FOUND"


class InstallDisabled(Conflict):
    """The install was uninstalled; nothing new is charged."""

    code = "INSTALL_DISABLED"


class KeyReused(Conflict):
    """The key stands for another charge of this wallet."""

    code = "IDEMPOTENCY_KEY_REUSED"


@dataclass(frozen=True)
class Balance:
    """What a wallet holds.

    Parameters:
        balance: coins that may be spent now; expired bonus coins are not among them.
        held: coins set aside by holds.
        low: whether the balance is below the threshold of the notice.
    """

    wallet_id: int
    balance: Decimal
    held: Decimal
    earned: Decimal
    bought: Decimal
    spent: Decimal
    low: bool


_BALANCE = """
    SELECT i.id AS install_id, w.id AS wallet_id, spendable_coins(w.id, $3) AS balance,
        (SELECT coalesce(sum(h.amount), 0.000) FROM wallet_holds h WHERE h.wallet_id = w.id AND h.status = 'HELD')
            AS held,
        w.earned, w.bought, w.spent, w.low_since IS NOT NULL AS low
    FROM installs i LEFT JOIN wallets w ON w.install_id = i.id WHERE i.id = $1 AND i.product_id = $2
"""


async def charge(actor: Principal, asked: Charge) -> Charged:
    """Take coins out of a wallet, in one statement that is its own transaction.

    Raises:
        NotFound, WalletMissing: no such install of the product, or no wallet.
        InstallDisabled: the install was uninstalled.
        PartnerNotAllowed: the partner is blocked or archived.
        InsufficientCoins: names the balance and the request.
        KeyReused: the reference stands for another charge.
    """
    product_id = product_of(actor)
    charged = await ledger.charge_coins(
        statement_pool(), product_id=product_id, charge=asked, actor=actor.label, at=clock.now()
    )
    refusal = refusal_of(charged, asked.amount)
    if refusal is not None:
        raise refusal
    return charged


async def charge_many(actor: Principal, asked: Sequence[Charge]) -> list[Charged]:
    """Many charges in one statement; each is applied or refused for itself."""
    assert len(asked) <= MOST_AT_ONCE
    return await ledger.charge_many(
        statement_pool(), product_id=product_of(actor), charges=asked, actor=actor.label, at=clock.now()
    )


async def balance_of(actor: Principal, install_id: int) -> Balance:
    """What the wallet of an install of the product holds.

    Raises:
        NotFound, WalletMissing: no such install of the product, or no wallet.
    """
    pool = read_pool(tenant=False, primary=True)
    row = await pool.fetchrow(_BALANCE, install_id, product_of(actor), clock.now())
    if row is None:
        raise NotFound.of("Install", field=("installId",))
    if row["wallet_id"] is None:
        raise WalletMissing("the install has no wallet", field=("installId",))
    return Balance(**{name: value for name, value in row.items() if name != "install_id"})


def product_of(actor: Principal) -> int:
    """The product behind a product principal; everybody else has nothing to do here."""
    assert actor.product_id is not None, "only the back end of a product uses these verbs"
    return actor.product_id


def refusal_of(charged: Charged, amount: Decimal) -> UserError | None:
    """Why a charge was refused; None where it was applied, now or before."""
    match charged.outcome:
        case Outcome.MOVED | Outcome.REPEATED:
            return None
        case Outcome.INSUFFICIENT:
            return InsufficientCoins(
                f"the wallet holds {charged.balance} and {amount} were asked for", field=("amount",)
            )
        case Outcome.REFERENCE_REUSED:
            return KeyReused("this key was used for another charge of the wallet", field=("idempotencyKey",))
        case Outcome.DISABLED:
            return InstallDisabled("the install was uninstalled", field=("installId",))
        case Outcome.NOT_ALLOWED:
            return PartnerNotAllowed("the partner's standing does not allow it", field=("installId",))
        case Outcome.NO_WALLET:
            return WalletMissing("the install has no wallet", field=("installId",))
        case Outcome.NO_INSTALL:
            return NotFound.of("Install", field=("installId",))
