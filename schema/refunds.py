"""Refunds as the API shows them, and what they are asked with (INV-2)."""

from __future__ import annotations

from typing import Any

import strawberry

import models
from domain.refunds import RefundedCoins, RefundedSubscription, RefundOutcome, RefundStatus
from planner.binding import (
    Money,
    Node,
    any_of,
    bound,
    column,
    equals,
    filter_input,
    graphql_enum,
    money,
    object_value,
    order_input,
    plain,
    to_one,
    value,
)
from planner.scalars import Decimal
from schema.payload import KeyedInput, MoneyInput, Payload

for _enum in (RefundedCoins, RefundedSubscription, RefundOutcome, RefundStatus):
    graphql_enum(_enum)

RefundFilter = filter_input(
    "Refund",
    {
        "partner_id": equals(models.Refund.partner_id, "Only of this partner.", id_of="Partner"),
        "payment_id": equals(models.Refund.payment_id, "Only of this payment.", id_of="Payment"),
        "invoice_id": equals(models.Refund.invoice_id, "Only of this invoice.", id_of="Invoice"),
        "status": any_of(models.Refund.status, "Only in these states."),
    },
)
RefundOrder = order_input("Refund")


@bound(models.Refund, requires="payment:read", description="An amount of a payment that is given back (INV-2).")
class Refund(Node):
    """An amount of a payment that is given back."""

    status: Any = column(models.Refund.status, "How far it is.")
    amount: Money = money(models.Refund.amount, models.Refund.currency, "What is given back.")
    reason: str = column(models.Refund.reason, "Why.")
    subscription: Any = column(models.Refund.subscription, "What it does to the subscription that was paid.")
    coins: Any = column(models.Refund.coins, "What it does to coins that were bought.")
    coins_taken: Any = column(models.Refund.coins_taken, "Coins taken back for it.")
    error_code: Any = column(models.Refund.error_code, "The gateway's code of a refusal, or NO_ANSWER while in doubt.")
    error_message: Any = column(
        models.Refund.error_message, "What the gateway said of a refusal, or why it is in doubt."
    )
    sent_at: Any = column(models.Refund.sent_at, "When the gateway was last told of it.")
    accepted_at: Any = column(models.Refund.accepted_at, "When the gateway said that it was giving the money back.")
    resolution_note: Any = column(
        models.Refund.resolution_note, "What somebody found out about it where nothing else could tell; else null."
    )
    settled_at: Any = column(models.Refund.settled_at, "When it succeeded or failed.")
    created_at: Any = column(models.Refund.created_at, "When it was asked for.")
    updated_at: Any = column(models.Refund.updated_at, "When it last changed.")
    payment: Any = to_one("schema.payments.Payment", models.Refund.payment_id, "The payment.")
    invoice: Any = to_one(
        "schema.billing.Invoice", models.Refund.invoice_id, "The invoice that it settled.", requires="invoice:read"
    )
    partner: Any = to_one("schema.partners.Partner", models.Refund.partner_id, "Who gets it.", requires="partner:read")
    requested_by: Any = to_one(
        "schema.access.User",
        models.Refund.requested_by_user_id,
        "Who asked for it; null where it was made at the gateway.",
        requires="user:read",
    )
    resolved_by: Any = to_one(
        "schema.access.User",
        models.Refund.resolved_by_user_id,
        "Who found out what came of it; null where nobody had to.",
        requires="user:read",
    )


@strawberry.input(description="Money to give back.")
class PaymentRefundInput(MoneyInput):
    """Money to give back."""

    payment_id: strawberry.ID = strawberry.field(description="The payment.")
    amount: Decimal | None = strawberry.field(
        default=None, description="In the payment's currency, at most 2 decimals; null for all that is left."
    )
    reason: str = strawberry.field(description="Why; kept with the refund.")
    subscription: RefundedSubscription = strawberry.field(
        default=RefundedSubscription.KEEP, description="What becomes of the subscription that was paid."
    )
    coins: RefundedCoins = strawberry.field(
        default=RefundedCoins.TAKE_BACK, description="What becomes of coins that were bought."
    )


@strawberry.input(description="Money that was given back without Kontora.")
class PaymentRecordRefundInput(MoneyInput):
    """Money that was given back without Kontora."""

    payment_id: strawberry.ID = strawberry.field(description="The payment.")
    amount: Decimal = strawberry.field(description="In the payment's currency, at most 2 decimals.")
    reason: str = strawberry.field(description="Why, and where it was seen; kept with the refund.")


@strawberry.input(description="What came of a refund that was in doubt.")
class RefundResolveInput(KeyedInput):
    """What came of a refund that was in doubt."""

    id: strawberry.ID = strawberry.field(description="The refund; it is IN_DOUBT.")
    outcome: RefundOutcome = strawberry.field(description="What you saw at the gateway.")
    note: str = strawberry.field(description="Where you saw it, in one line; kept with the refund.")


@plain(requires="", description="A refund as it stands.")
class PaymentRefundPayload(Payload):
    """A refund as it stands."""

    refund: Any = object_value("schema.refunds.Refund", "The refund; null where there are user errors.")
    payment: Any = object_value("schema.payments.Payment", "Its payment; null where there are user errors.")


@plain(requires="payment:refund", description="What may be refunded of a payment now (INV-2).")
class RefundPreview:
    """What may be refunded of a payment now."""

    refundable: Money = value("What is left of the payment; 0 where its money is not here.")
    with_coins_taken_back: Money | None = value(
        "The largest refund that takes the bought coins back; null where no coins were bought."
    )
    ends_subscription: bool = value("Whether a living subscription was paid by it, which END_NOW would end.")
