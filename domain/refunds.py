"""Refunds: their states, and what becomes of what the money had bought (INV-2)."""

from __future__ import annotations

from enum import StrEnum


class RefundStatus(StrEnum):
    """The life of a refund: PENDING is not sent; UNKNOWN was sent, and the gateway's last word is awaited."""

    PENDING = "PENDING"
    UNKNOWN = "UNKNOWN"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


OPEN_REFUND = frozenset({RefundStatus.PENDING, RefundStatus.UNKNOWN})


class RefundedSubscription(StrEnum):
    """What a refund does to the subscription that the money paid for.

    KEEP leaves it as it is; END_NOW ends it once the money is given back.
    """

    KEEP = "KEEP"
    END_NOW = "END_NOW"


class RefundedCoins(StrEnum):
    """What a refund of a coin purchase does to the coins.

    TAKE_BACK takes them out of the wallet in proportion to the money, and is refused where they are spent; LEAVE gives
    the money back and leaves the coins.
    """

    TAKE_BACK = "TAKE_BACK"
    LEAVE = "LEAVE"
