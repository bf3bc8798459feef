"""Inputs and payloads of billing's doors (SUB-2, SUB-3, INV-2)."""

from __future__ import annotations

from typing import Any

import strawberry

from domain.catalog import Term
from planner.binding import Money, graphql_enum, object_value, plain, value
from planner.scalars import Decimal
from schema.payload import KeyedInput, MoneyInput, Payload

graphql_enum(Term)


@strawberry.input(description="A subscription to be priced.")
class SubscriptionPreviewInput:
    """A subscription to be priced."""

    plan_id: strawberry.ID = strawberry.field(description="The plan.")
    term: Term = strawberry.field(description="Length of the period.")
    seats: int | None = strawberry.field(
        default=None, description="Units; 5 or the plan's minimum, whichever is more, unless told."
    )
    unit_price: Decimal | None = strawberry.field(
        default=None, description="Individual price of one unit for one month; the plan's unless told."
    )


@plain(requires="plan:read", description="What a subscription would cost (SUB-2).")
class SubscriptionPreview:
    """What a subscription would cost."""

    term: Term = value("Length of the period.")
    months: int = value("The same in whole months.")
    seats: int = value("Units.")
    unit_price: Money = value("Price of one unit for one month.")
    per_month: Money = value("Price of all units for one month.")
    total: Money = value("Price of the whole period.")


@strawberry.input(description="An order of a subscription.")
class SubscriptionCreateInput(MoneyInput):
    """An order of a subscription."""

    install_id: strawberry.ID = strawberry.field(description="The install that is to be paid for.")
    plan_id: strawberry.ID = strawberry.field(description="The plan, of the same product.")
    term: Term = strawberry.field(description="Length of the period.")
    seats: int | None = strawberry.field(
        default=None, description="Units; 5 or the plan's minimum, whichever is more, unless told."
    )
    auto_renew: bool = strawberry.field(default=True, description="Whether it is to be renewed by itself.")
    unit_price: Decimal | None = strawberry.field(
        default=None,
        description="Individual price of one unit for one month, kept by renewals; needs `subscription:adjust`.",
    )
    replace: bool = strawberry.field(
        default=False, description="Whether this order takes the place of one that waits for its payment."
    )


@strawberry.input(description="An unpaid invoice whose payment link is wanted.")
class InvoiceRefreshPaymentLinkInput(KeyedInput):
    """An unpaid invoice whose payment link is wanted."""

    id: strawberry.ID = strawberry.field(description="The invoice.")


@strawberry.input(description="An invoice that was paid outside the gateway.")
class InvoiceMarkPaidInput(MoneyInput):
    """An invoice that was paid outside the gateway."""

    id: strawberry.ID = strawberry.field(description="The invoice.")
    note: str = strawberry.field(description="How it was paid, for example the number of the bank transfer.")


@strawberry.input(description="An unpaid invoice that is taken back.")
class InvoiceCancelInput(KeyedInput):
    """An unpaid invoice that is taken back."""

    id: strawberry.ID = strawberry.field(description="The invoice.")


@plain(requires="", description="An invoice and the payment that is to settle it.")
class InvoicePaymentPayload(Payload):
    """An invoice and the payment that is to settle it."""

    invoice: Any = object_value("schema.billing.Invoice", "The invoice; null where there are user errors.")
    payment: Any = object_value(
        "schema.payments.Payment",
        "The payment, null where nothing is to be paid; its link is null for as long as the gateway has not answered.",
        requires="payment:read",
    )


@plain(requires="", description="An invoice after the change.")
class InvoicePayload(Payload):
    """An invoice after the change."""

    invoice: Any = object_value("schema.billing.Invoice", "The invoice; null where there are user errors.")
