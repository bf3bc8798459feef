"""What may differ between our payments and the gateway's, and what of it may be repaired by itself (INV-6)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from domain.billing import PAYMENT_TRANSITIONS, PaymentStatus


class DifferenceKind(StrEnum):
    """What differs: the state, the amount, or that the gateway does not know the payment at all."""

    STATE = "STATE"
    AMOUNT = "AMOUNT"
    MISSING = "MISSING"


def differences(
    ours: PaymentStatus, amount: Decimal, theirs: PaymentStatus | None, their_amount: Decimal | None
) -> list[tuple[DifferenceKind, bool]]:
    """What differs, and whether it may be repaired by taking the gateway's word: only steps forward may.

    Parameters:
        theirs: the gateway's state in our words; None where its word moves nothing.
        their_amount: what the payment is over at the gateway, or how much of it was given back; None where not told.
    """
    found = []
    if theirs is not None and theirs != ours:
        # That some of the money went back, and not how much, cannot be booked.
        untold = theirs == PaymentStatus.PARTIALLY_REFUNDED and their_amount is None
        found.append((DifferenceKind.STATE, theirs in PAYMENT_TRANSITIONS[ours] and not untold))
    refunded = theirs in (PaymentStatus.REFUNDED, PaymentStatus.PARTIALLY_REFUNDED)
    if their_amount is not None and not refunded and their_amount != amount:
        # Money that is over another amount than asked is for a person, whatever the state.
        found = [(kind, False) for kind, _ in found] + [(DifferenceKind.AMOUNT, False)]
    return found
