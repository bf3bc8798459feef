"""Refunds: their states, and what becomes of what the money had bought (INV-2)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from enum import StrEnum

from domain.billing import PaymentStatus
from domain.money import MINOR_UNIT
from domain.wallets import COIN_STEP


class RefundStatus(StrEnum):
    """The life of a refund.

    PENDING is not sent; UNKNOWN was sent, and the gateway's last word is awaited; IN_DOUBT was sent and nothing can
    tell what came of it, so that a person finds out: it is never sent again.
    """

    PENDING = "PENDING"
    UNKNOWN = "UNKNOWN"
    IN_DOUBT = "IN_DOUBT"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


OPEN_REFUND = frozenset({RefundStatus.PENDING, RefundStatus.UNKNOWN, RefundStatus.IN_DOUBT})
# Those of which the gateway is asked; what is in doubt, asking does not clear up.
ASKED_REFUND = OPEN_REFUND - {RefundStatus.IN_DOUBT}


class RefundEvidence(StrEnum):
    """What a payment's state tells of a refund that may have been sent."""

    MADE = "MADE"
    UNDER_WAY = "UNDER_WAY"
    NOT_MADE = "NOT_MADE"
    UNCLEAR = "UNCLEAR"


class RefundNotice(StrEnum):
    """What a gateway's notice may be about: a refund that is known, another one, or either."""

    REPEAT = "REPEAT"
    UNCLEAR = "UNCLEAR"
    NEW = "NEW"


class RefundOutcome(StrEnum):
    """What a person found out about a refund that was in doubt."""

    GIVEN_BACK = "GIVEN_BACK"
    NOT_GIVEN_BACK = "NOT_GIVEN_BACK"


def refund_evidence(
    told: PaymentStatus | None, *, refunding: bool, amount: Decimal, before: Decimal, paid: Decimal
) -> RefundEvidence:
    """What the gateway's state of a payment tells of a refund of ``amount``.

    Parameters:
        told: the payment's state at the gateway.
        refunding: whether the gateway is giving money back at this moment.
        before: what was given back of the payment earlier.
        paid: the whole payment.
    """
    if refunding:
        return RefundEvidence.UNDER_WAY
    if told in (PaymentStatus.REFUNDED, PaymentStatus.REVERSED):
        return RefundEvidence.MADE
    if told == PaymentStatus.CONFIRMED:
        return RefundEvidence.NOT_MADE
    if told != PaymentStatus.PARTIALLY_REFUNDED:
        return RefundEvidence.UNCLEAR
    if before + amount >= paid:
        # With it the payment would be given back whole.
        return RefundEvidence.NOT_MADE
    return RefundEvidence.UNCLEAR if before else RefundEvidence.MADE


def refund_notice(told: Decimal, *, earlier: Iterable[Decimal], paid: Decimal) -> RefundNotice:
    """What a notice of a part that was given back tells, beside the refunds that are known.

    Gateways do not say whether they tell the last refund, all of them together or what is left, and repeat themselves.
    """
    total, notice = Decimal(0), RefundNotice.NEW
    for amount in earlier:
        total += amount
        if told in (amount, total):
            return RefundNotice.REPEAT
        if told == paid - total:
            notice = RefundNotice.UNCLEAR
    return notice


def coins_of(coins: Decimal, total: Decimal, money: Decimal) -> Decimal:
    """The coins that ``money`` of a purchase stands for; all of the money stands for all coins.

    Refunds in part take the difference between two of these, so that the roundings never add up.
    """
    return (coins * money / total).quantize(COIN_STEP, rounding=ROUND_HALF_UP)


def money_for(coins: Decimal, total: Decimal, available: Decimal) -> Decimal:
    """The most money of a purchase whose coins are no more than ``available``."""
    if available >= coins:
        return total
    money = (total * (available + COIN_STEP / 2) / coins).quantize(MINOR_UNIT, rounding=ROUND_DOWN)
    return money if coins_of(coins, total, money) <= available else money - MINOR_UNIT


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
