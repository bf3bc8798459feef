"""States of subscriptions, invoices and payments, and the steps that are allowed between them."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType


class SubscriptionStatus(StrEnum):
    """The life of a subscription (SUB-1)."""

    TRIAL = "TRIAL"
    ACTIVE = "ACTIVE"
    PAST_DUE = "PAST_DUE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


LIVE_SUBSCRIPTION = frozenset({SubscriptionStatus.TRIAL, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE})


class InvoiceKind(StrEnum):
    """What an invoice bills (INV-1)."""

    SUBSCRIPTION_START = "SUBSCRIPTION_START"
    RENEWAL = "RENEWAL"
    ONE_OFF = "ONE_OFF"
    SEATS_UPGRADE = "SEATS_UPGRADE"
    PLAN_CHANGE = "PLAN_CHANGE"
    COIN_PURCHASE = "COIN_PURCHASE"
    LICENSE = "LICENSE"


class InvoiceStatus(StrEnum):
    """The life of an invoice (INV-1)."""

    PENDING = "PENDING"
    CHARGING = "CHARGING"
    ACTION_REQUIRED = "ACTION_REQUIRED"
    PAID = "PAID"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    REFUNDED = "REFUNDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"


OPEN_INVOICE = frozenset({InvoiceStatus.PENDING, InvoiceStatus.CHARGING, InvoiceStatus.ACTION_REQUIRED})
# Unpaid, and money may come for it.
WAITING_INVOICE = OPEN_INVOICE | {InvoiceStatus.FAILED}
# Bills of a change that begins when they are paid.
CHANGE_ORDERS = frozenset({InvoiceKind.SEATS_UPGRADE, InvoiceKind.PLAN_CHANGE})

INVOICE_TRANSITIONS: MappingProxyType[InvoiceStatus, frozenset[InvoiceStatus]] = MappingProxyType(
    {
        InvoiceStatus.PENDING: frozenset(
            {
                InvoiceStatus.CHARGING,
                InvoiceStatus.ACTION_REQUIRED,
                InvoiceStatus.PAID,
                InvoiceStatus.FAILED,
                InvoiceStatus.CANCELED,
            }
        ),
        InvoiceStatus.CHARGING: frozenset(
            {InvoiceStatus.PENDING, InvoiceStatus.ACTION_REQUIRED, InvoiceStatus.PAID, InvoiceStatus.FAILED}
        ),
        InvoiceStatus.ACTION_REQUIRED: frozenset(
            {InvoiceStatus.CHARGING, InvoiceStatus.PAID, InvoiceStatus.FAILED, InvoiceStatus.CANCELED}
        ),
        InvoiceStatus.FAILED: frozenset(
            {InvoiceStatus.PENDING, InvoiceStatus.CHARGING, InvoiceStatus.PAID, InvoiceStatus.CANCELED}
        ),
        InvoiceStatus.PAID: frozenset({InvoiceStatus.REFUNDED, InvoiceStatus.PARTIALLY_REFUNDED}),
        InvoiceStatus.PARTIALLY_REFUNDED: frozenset({InvoiceStatus.REFUNDED}),
        InvoiceStatus.CANCELED: frozenset(),
        InvoiceStatus.REFUNDED: frozenset(),
    }
)


class PaymentMethod(StrEnum):
    """How a payment is made: on the gateway's page, by a stored card, or outside and recorded by hand (INV-2)."""

    GATEWAY = "GATEWAY"
    RECURRING = "RECURRING"
    MANUAL = "MANUAL"


class PaymentStatus(StrEnum):
    """Our states of a payment, common to all gateways (INV-3).

    NEW has not been told to the gateway; PENDING waits for the customer; UNKNOWN was sent without an answer
    and is repaired by asking, never by sending again.
    """

    NEW = "NEW"
    UNKNOWN = "UNKNOWN"
    PENDING = "PENDING"
    AUTHORIZED = "AUTHORIZED"
    CONFIRMED = "CONFIRMED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    REVERSED = "REVERSED"
    REJECTED = "REJECTED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


_P = PaymentStatus
_ENDED_UNPAID = frozenset({_P.REJECTED, _P.CANCELED, _P.EXPIRED})
_AFTER_AUTHORIZED = frozenset({_P.CONFIRMED, _P.PARTIALLY_REFUNDED, _P.REFUNDED, _P.REVERSED})

PAYMENT_TRANSITIONS: MappingProxyType[PaymentStatus, frozenset[PaymentStatus]] = MappingProxyType(
    {
        _P.NEW: frozenset({_P.UNKNOWN, _P.PENDING, _P.AUTHORIZED}) | _AFTER_AUTHORIZED | _ENDED_UNPAID,
        _P.UNKNOWN: frozenset({_P.PENDING, _P.AUTHORIZED}) | _AFTER_AUTHORIZED | _ENDED_UNPAID,
        _P.PENDING: frozenset({_P.AUTHORIZED}) | _AFTER_AUTHORIZED | _ENDED_UNPAID,
        _P.AUTHORIZED: _AFTER_AUTHORIZED | frozenset({_P.REJECTED, _P.CANCELED}),
        _P.CONFIRMED: frozenset({_P.PARTIALLY_REFUNDED, _P.REFUNDED}),
        _P.PARTIALLY_REFUNDED: frozenset({_P.REFUNDED}),
        # The same form accepts another card after a refusal, and money that did arrive is never denied.
        _P.REJECTED: frozenset({_P.AUTHORIZED}) | _AFTER_AUTHORIZED,
        _P.EXPIRED: frozenset({_P.AUTHORIZED}) | _AFTER_AUTHORIZED,
        _P.CANCELED: frozenset({_P.CONFIRMED, _P.PARTIALLY_REFUNDED, _P.REFUNDED}),
        _P.REVERSED: frozenset(),
        _P.REFUNDED: frozenset(),
    }
)


class NotificationStatus(StrEnum):
    """What became of a raw gateway notification."""

    RECEIVED = "RECEIVED"
    APPLIED = "APPLIED"
    IGNORED = "IGNORED"
    REJECTED = "REJECTED"
