"""The stored card of a subscription, and the merchant account that alone may charge it (SUB-1, SUB-4)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import crypto
from core.errors import Conflict, NotFound
from core.principal import SYSTEM
from domain.billing import PaymentMethod, PaymentStatus
from gateways.interface import Gateway, GatewayState
from gateways.registry import gateway, merchant_account, merchant_accounts
from models import Install, Invoice, Payment, Subscription
from services.billing.locks import live_subscription
from services.billing.log import record_change, told

_MONEY_IS_HERE = (PaymentStatus.CONFIRMED, PaymentStatus.PARTIALLY_REFUNDED)


class NoStoredCard(Conflict):
    """The install's subscription has no card that may be charged."""

    code = "NO_STORED_CARD"


class CardGatewayGone(Conflict):
    """The card was stored through a gateway or terminal that is not configured any more; no other may charge it."""

    code = "CARD_GATEWAY_GONE"


@dataclass(frozen=True)
class Card:
    """A card that paid and may be charged again.

    Parameters:
        key: the gateway's key of it (RebillId); secret.
        account: the merchant account that stored it; nobody else's charges know the key.
    """

    key: str
    account: str


def note_card(payment: Payment, state: GatewayState) -> bool:
    """Note the card that is paying, which may be told before the money has come; whether it was told first now."""
    if state.rebill_id is None or payment.rebill_id_encrypted is not None:
        return False
    payment.rebill_id_encrypted = crypto.encrypt(state.rebill_id, _context_of(payment))
    return True


def paid_by(payment: Payment) -> Card | None:
    """The card that has paid; None where it may not be charged again.

    A gateway speaks for the merchant account that is configured, whose signature was checked.
    """
    noted = payment.rebill_id_encrypted
    if noted is None:
        return None
    return Card(crypto.decrypt(noted, _context_of(payment)), gateway(payment.gateway).account)


async def keep_late_card(session: AsyncSession, payment: Payment, invoice: Invoice, install: Install) -> bool:
    """Keep a card that was told after its payment had been settled; the rows are locked, and so is the subscription.

    Not so where the subscription has ended, its money went back, or another payment came after this one.
    """
    card = paid_by(payment)
    live = await live_subscription(session, install.id)
    if card is None or payment.status not in _MONEY_IS_HERE or live is None or live.id != invoice.subscription_id:
        return False
    newest = (
        select(Payment.id)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .where(
            Invoice.subscription_id == live.id,
            Payment.method == PaymentMethod.GATEWAY,
            Payment.confirmed_at.is_not(None),
        )
        .order_by(Payment.confirmed_at.desc(), Payment.id.desc())
        .limit(1)
    )
    if await session.scalar(newest) != payment.id or card_of(live) == card:
        return False
    before = told(live)
    keep_card(live, card)
    await record_change(session, SYSTEM, live, "keep_card", before)
    return True


def keep_card(subscription: Subscription, card: Card | None) -> None:
    """Keep the card that paid for later charges, its key encrypted; a payment without one changes nothing."""
    if card is not None:
        subscription.rebill_id_encrypted = crypto.encrypt(card.key, _context(subscription))
        subscription.card_account = card.account


def forget_card(subscription: Subscription) -> None:
    """Keep no card any more."""
    subscription.rebill_id_encrypted = subscription.card_account = None


def has_card(subscription: Subscription | None) -> bool:
    """Whether renewals are charged by themselves, and to a card."""
    return subscription is not None and subscription.auto_renew and subscription.rebill_id_encrypted is not None


def card_of(subscription: Subscription) -> Card | None:
    """The stored card with its key in clear; None where there is none."""
    if subscription.rebill_id_encrypted is None:
        return None
    assert subscription.card_account is not None, "a constraint of the database"
    return Card(crypto.decrypt(subscription.rebill_id_encrypted, _context(subscription)), subscription.card_account)


def gateway_of_card(subscription: Subscription | None) -> Gateway:
    """The gateway through which the stored card is charged.

    Raises:
        NoStoredCard: nothing is stored, or renewals are not to be charged.
        CardGatewayGone: it was stored through a merchant account that is not configured here.
    """
    if subscription is None or not has_card(subscription):
        raise NoStoredCard("pay a subscription of this install by card first")
    assert subscription.card_account is not None, "a constraint of the database"
    try:
        return merchant_account(subscription.card_account)
    except NotFound:
        raise CardGatewayGone(
            f"the card was stored through {subscription.card_account}, which is not configured any more"
        ) from None


async def check_card(session: AsyncSession, install: Install, *, field: tuple[str, ...] | None = None) -> None:
    """Make sure that the stored card of a locked install's subscription can be charged now.

    Raises:
        NoStoredCard, CardGatewayGone: see above; they name ``field``.
    """
    try:
        gateway_of_card(await live_subscription(session, install.id))
    except (NoStoredCard, CardGatewayGone) as refused:
        refused.field = field
        raise


def chargeable_accounts() -> list[str]:
    """The merchant accounts whose stored cards can be charged now, for statements over many subscriptions."""
    return merchant_accounts()


def _context_of(payment: Payment) -> str:
    return f"payments.rebill_id:{payment.id}"


def _context(subscription: Subscription) -> str:
    return f"subscriptions.rebill_id:{subscription.id}"
