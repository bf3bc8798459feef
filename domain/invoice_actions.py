"""What people may do with an invoice or payment in which state (INV-2)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from domain.allowed_actions import Blocked
from domain.billing import INVOICE_TRANSITIONS, WAITING_INVOICE, InvoiceStatus, PaymentStatus


class InvoiceAction(StrEnum):
    """What people do with an invoice; each is the mutation `invoice…`."""

    REFRESH_PAYMENT_LINK = "REFRESH_PAYMENT_LINK"
    MARK_PAID = "MARK_PAID"
    CANCEL = "CANCEL"


class PaymentAction(StrEnum):
    """What people do with a payment; each is the mutation `payment…`."""

    REFUND = "REFUND"


INVOICE_ACTION_NEEDS: Mapping[InvoiceAction, frozenset[str]] = MappingProxyType(
    {
        InvoiceAction.REFRESH_PAYMENT_LINK: frozenset({"invoice:pay"}),
        InvoiceAction.MARK_PAID: frozenset({"invoice:settle"}),
        InvoiceAction.CANCEL: frozenset({"invoice:write"}),
    }
)
PAYMENT_ACTION_NEEDS: Mapping[PaymentAction, frozenset[str]] = MappingProxyType(
    {PaymentAction.REFUND: frozenset({"payment:refund"})}
)
REFUNDABLE = frozenset({PaymentStatus.CONFIRMED, PaymentStatus.PARTIALLY_REFUNDED})
# A card that is being charged is not paid a second time.
_PAYABLE = WAITING_INVOICE - {InvoiceStatus.CHARGING}


def invoice_blocked(action: InvoiceAction, status: InvoiceStatus) -> Blocked | None:
    """Why the action is not allowed for an invoice in this state; None where it is."""
    allowed = {
        InvoiceAction.REFRESH_PAYMENT_LINK: status in _PAYABLE,
        InvoiceAction.MARK_PAID: InvoiceStatus.PAID in INVOICE_TRANSITIONS[status],
        InvoiceAction.CANCEL: InvoiceStatus.CANCELED in INVOICE_TRANSITIONS[status],
    }
    code = "INVOICE_NOT_VOIDABLE" if action == InvoiceAction.CANCEL else "INVOICE_NOT_PAYABLE"
    return None if allowed[action] else Blocked(code, f"the invoice is {status}")


def refund_blocked(status: PaymentStatus, *, under_way: bool) -> Blocked | None:
    """Why a payment can't be refunded now; None where it can.

    Parameters:
        under_way: whether another refund of it waits for its end.
    """
    if status not in REFUNDABLE:
        return Blocked("PAYMENT_NOT_REFUNDABLE", f"the payment is {status}")
    if under_way:
        return Blocked("PAYMENT_NOT_REFUNDABLE", "a refund of this payment is under way")
    return None
