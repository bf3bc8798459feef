"""T-Bank's payment states in our words (API v2, section "Statuses")."""

from __future__ import annotations

from types import MappingProxyType

from domain.billing import PaymentStatus

STATES = MappingProxyType(
    {
        "NEW": PaymentStatus.PENDING,
        "FORM_SHOWED": PaymentStatus.PENDING,
        "AUTHORIZING": PaymentStatus.PENDING,
        "3DS_CHECKING": PaymentStatus.PENDING,
        "3DS_CHECKED": PaymentStatus.PENDING,
        "PAY_CHECKING": PaymentStatus.PENDING,
        # The same form accepts another card, so the payment goes on waiting.
        "AUTH_FAIL": PaymentStatus.PENDING,
        "AUTHORIZED": PaymentStatus.AUTHORIZED,
        "CONFIRMING": PaymentStatus.AUTHORIZED,
        "REVERSING": PaymentStatus.AUTHORIZED,
        "PARTIAL_REVERSED": PaymentStatus.AUTHORIZED,
        "CONFIRMED": PaymentStatus.CONFIRMED,
        "REFUNDING": PaymentStatus.CONFIRMED,
        "ASYNC_REFUNDING": PaymentStatus.CONFIRMED,
        "PARTIAL_REFUNDED": PaymentStatus.PARTIALLY_REFUNDED,
        "REFUNDED": PaymentStatus.REFUNDED,
        "REVERSED": PaymentStatus.REVERSED,
        "CANCELED": PaymentStatus.CANCELED,
        "DEADLINE_EXPIRED": PaymentStatus.EXPIRED,
        "ATTEMPTS_EXPIRED": PaymentStatus.EXPIRED,
        "REJECTED": PaymentStatus.REJECTED,
    }
)


# Money is on its way back; by the SBP that takes a while, and a repeated request is another one.
REFUNDING = frozenset({"REFUNDING", "ASYNC_REFUNDING"})


def status_of(gateway_status: str) -> PaymentStatus | None:
    """Our state; None for a word that the bank has added since, which must not stop anything."""
    return STATES.get(gateway_status)
