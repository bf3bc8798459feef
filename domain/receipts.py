"""Receipts to customers (54-FZ): what they call a payment, and the closing one that a prepayment still owes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum


class ReceiptMethod(StrEnum):
    """What a receipt calls the settlement (tag 1214)."""

    FULL_PREPAYMENT = "FULL_PREPAYMENT"
    PREPAYMENT = "PREPAYMENT"
    ADVANCE = "ADVANCE"
    FULL_PAYMENT = "FULL_PAYMENT"


# Money before what it is for: a second receipt is due once that is rendered.
PREPAID = frozenset({ReceiptMethod.FULL_PREPAYMENT, ReceiptMethod.PREPAYMENT, ReceiptMethod.ADVANCE})


class ClosingReceiptStatus(StrEnum):
    """The life of a closing receipt.

    WAITING until the service is rendered; QUEUED to be sent; UNKNOWN was sent without an answer and is never sent again
    by itself, for nothing tells two receipts from one; SENT was taken by the gateway, REGISTERED by the cash register.
    CANCELED: all of the money was given back before. BY_HAND: a part was, and gateways close whole payments only, so a
    person makes it at the cash register and records it. FAILED waits for a person, who sends it again or records it.
    """

    WAITING = "WAITING"
    QUEUED = "QUEUED"
    UNKNOWN = "UNKNOWN"
    SENT = "SENT"
    REGISTERED = "REGISTERED"
    CANCELED = "CANCELED"
    BY_HAND = "BY_HAND"
    FAILED = "FAILED"


_S = ClosingReceiptStatus
CLOSED = frozenset({_S.SENT, _S.REGISTERED})
# A receipt that was sent without an answer is told of by the cash register, or by nobody.
AWAITS_REGISTER = frozenset({_S.QUEUED, _S.UNKNOWN, _S.SENT, _S.BY_HAND, _S.FAILED})
# Not made yet: a refund of a part lowers it, one of the whole makes it needless.
NOT_MADE = frozenset({_S.WAITING, _S.QUEUED, _S.BY_HAND, _S.FAILED})
# A person's word that it was made counts.
RECORDABLE = frozenset({_S.BY_HAND, _S.FAILED})


def rendered_at(paid_at: datetime, period_end: datetime | None) -> datetime:
    """When what an invoice bills is rendered: the end of its period, or the payment where there is no period."""
    return paid_at if period_end is None else max(period_end, paid_at)
