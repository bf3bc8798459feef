"""The stored card of a subscription, and the merchant account that alone may charge it (SUB-1, SUB-4)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from core import crypto
from core.errors import Conflict, NotFound
from gateways.interface import Gateway
from gateways.registry import merchant_account, merchant_accounts
from models import Install, Subscription
from services.billing.locks import live_subscription


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


def _context(subscription: Subscription) -> str:
    return f"subscriptions.rebill_id:{subscription.id}"
