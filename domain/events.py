"""Every event that products hear of: which endpoint takes it, what it means, and what its data says (NOT-2, CAT-1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from domain.effects import EndpointPurpose


@dataclass(frozen=True)
class EventType:
    """One type of event.

    Parameters:
        endpoint: which of the product's endpoints takes it.
        fields: of its data, with their meaning; any of them may be missing or null where the meaning says so.
    """

    endpoint: EndpointPurpose
    meaning: str
    fields: Mapping[str, str]


_SUBSCRIPTION = {
    "subscriptionId": "Number of the subscription.",
    "status": "State after the event.",
    "seats": "Units that are paid for.",
    "activeUntil": "Until when there is access; null where there is none.",
}
_CHANGE = {
    **_SUBSCRIPTION,
    "invoiceNumber": "The invoice that paid for it; missing where none did.",
    "autoRenew": "Whether it is renewed by itself; where that changed.",
    "cancelAtPeriodEnd": "Whether it ends with its period; where that changed.",
}
_INVOICE = {
    "invoiceNumber": "Number of the invoice.",
    "kind": "What it bills.",
    "total": "What is to be paid, VAT included.",
    "currency": "ISO 4217 code.",
    "dueAt": "Until when.",
}
_COINS = {
    "walletId": "Number of the wallet.",
    "coins": "How many.",
    "balance": "Coins that may be spent after it.",
    "kind": "Why they moved.",
    "invoiceNumber": "The invoice that bought them; missing for others.",
    "holdId": "The hold that was given back; missing for others.",
}
_STANDING = {"partnerStatus": "Standing of the partner after it."}
_IN, _ON, _OFF = EndpointPurpose.INSTALL, EndpointPurpose.ACTIVATE, EndpointPurpose.DISABLE


def _type(endpoint: EndpointPurpose, meaning: str, fields: Mapping[str, str]) -> EventType:
    return EventType(endpoint, meaning, MappingProxyType(dict(fields)))


EVENT_TYPES: Mapping[str, EventType] = MappingProxyType(
    {
        "install.created": _type(
            _IN, "The product was installed, or came back.", {"partnerId": "Number of the partner."}
        ),
        "install.activated": _type(
            _ON,
            "The install was activated.",
            {"kind": "TRIAL, PAID or NONE.", "until": "Until when there is access; null where there is none."},
        ),
        "install.authorization_lost": _type(
            _OFF,
            "amoCRM takes the install's tokens no more; the widget must be installed again.",
            {"validUntil": "Until when the access token works."},
        ),
        "partner.blocked": _type(_OFF, "The partner may not use its products now.", _STANDING),
        "partner.restored": _type(_ON, "The partner may use its products again.", _STANDING),
        "install.disabled": _type(_OFF, "The product was uninstalled.", {}),
        "subscription.activated": _type(_ON, "A subscription was paid and has begun.", _CHANGE),
        "subscription.changed": _type(_ON, "Seats, plan, price, end or renewal changed.", _CHANGE),
        "subscription.renewed": _type(_ON, "The next period was paid.", _CHANGE),
        "subscription.ending": _type(
            _ON,
            "The end comes near: 7, 3 and 1 days before, unless set otherwise.",
            {
                **_SUBSCRIPTION,
                "daysLeft": "Days to the end.",
                "renewal": "CARD, INVOICE or NONE: how it goes on.",
                "invoiceNumber": "The renewal's invoice; null before it is issued.",
                "total": "What the renewal costs; null before it is issued.",
                "currency": "ISO 4217 code; null before it is issued.",
            },
        ),
        "subscription.past_due": _type(_ON, "The renewal was not paid; access goes on for the days of grace.", _CHANGE),
        "subscription.paused": _type(_OFF, "The subscription stands still, without access.", _CHANGE),
        "subscription.resumed": _type(_ON, "The subscription goes on.", _CHANGE),
        "subscription.canceled": _type(_OFF, "The subscription was ended.", _CHANGE),
        "subscription.expired": _type(_OFF, "The trial, or the days of grace, are over.", _CHANGE),
        "invoice.created": _type(
            _ON, "A renewal, or something that nobody ordered in the product, was billed.", _INVOICE
        ),
        "invoice.paid": _type(
            _ON, "A bill was paid that begins nothing; what others begin is told by itself.", _INVOICE
        ),
        "invoice.canceled": _type(_ON, "A bill that was told of is not to be paid any more.", _INVOICE),
        "invoice.payment_failed": _type(
            _ON,
            "A stored card was charged in vain.",
            {
                "invoiceNumber": "Number of the invoice.",
                "nextAttemptAt": "When it is charged again; null where it is not.",
            },
        ),
        "invoice.refunded": _type(
            _ON,
            "Money was given back.",
            {
                "invoiceNumber": "Number of the invoice.",
                "amount": "How much this time.",
                "currency": "ISO 4217 code.",
                "status": "State of the invoice after it.",
                "coinsTaken": "Coins that were taken back for it.",
            },
        ),
        "wallet.credited": _type(_ON, "Coins came to the wallet.", _COINS),
        "wallet.debited": _type(_ON, "Staff took coins out of the wallet; usage is not told.", _COINS),
        "wallet.low": _type(
            _ON,
            "The balance fell below the wallet's threshold; once a crossing.",
            {
                "walletId": "Number of the wallet.",
                "balance": "Coins that are left.",
                "threshold": "The threshold.",
            },
        ),
        "wallet.charge_failed": _type(
            _ON,
            "A charge that was kept could not be applied and waits for a person.",
            {
                "amount": "Coins.",
                "reference": "Key of the charge, behind `usage:`.",
                "description": "What it was for.",
                "reason": "Why it was refused.",
            },
        ),
        "wallet.top_up_failed": _type(
            _ON,
            "The wallet buys coins by itself no more.",
            {
                "walletId": "Number of the wallet.",
                "reason": "CARD_DECLINED, NO_STORED_CARD, CARD_GATEWAY_GONE or PACKAGE_WITHDRAWN.",
            },
        ),
    }
)


def check_data(type: str, data: Mapping[str, object]) -> EventType:
    """The type of an event whose data says only what is told of it in the reference.

    Raises:
        KeyError: there is no such type.
        ValueError: a field is not in the reference.
    """
    found = EVENT_TYPES[type]
    unknown = data.keys() - found.fields.keys()
    if unknown:
        raise ValueError(f"{type} says {sorted(unknown)}, which its reference does not tell of")
    return found
