"""Closing receipts as the outside sees them (54-FZ, GW-1)."""

from __future__ import annotations

from typing import Any

import strawberry

import models
from domain.receipts import ClosingReceiptStatus, ReceiptMethod
from planner.binding import (
    Money,
    Node,
    any_of,
    at_least,
    before,
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
)
from schema.payload import KeyedInput, Payload

for _enum in (ClosingReceiptStatus, ReceiptMethod):
    graphql_enum(_enum)

ClosingReceiptFilter = filter_input(
    "ClosingReceipt",
    {
        "partner_id": equals(models.ClosingReceipt.partner_id, "Only of this partner.", id_of="Partner"),
        "payment_id": equals(models.ClosingReceipt.payment_id, "Only of this payment.", id_of="Payment"),
        "invoice_id": equals(models.ClosingReceipt.invoice_id, "Only of this invoice.", id_of="Invoice"),
        "status": any_of(models.ClosingReceipt.status, "Only in these states."),
        "due_from": at_least(models.ClosingReceipt.due_at, "Only those due at this moment or later."),
        "due_before": before(models.ClosingReceipt.due_at, "Only those due before this moment."),
    },
)
ClosingReceiptOrder = order_input("ClosingReceipt")


@bound(
    models.ClosingReceipt,
    requires="payment:read",
    description="The second receipt (54-FZ) of a payment whose first one called it a prepayment (GW-1).",
)
class ClosingReceipt(Node):
    """The second receipt of a prepayment."""

    status: Any = column(models.ClosingReceipt.status, "How far it is.")
    amount: Money = money(
        models.ClosingReceipt.amount,
        models.ClosingReceipt.currency,
        "Its sum: the payment's, without what was given back before it was made.",
    )
    due_at: Any = column(
        models.ClosingReceipt.due_at, "When the service is rendered: the end of the period billed, else the payment."
    )
    sent_at: Any = column(models.ClosingReceipt.sent_at, "When the gateway was last told of it.")
    registered_at: Any = column(models.ClosingReceipt.registered_at, "When the cash register, or a person, told of it.")
    fiscal_document: Any = column(models.ClosingReceipt.fiscal_document, "Number of the fiscal document.")
    receipt_url: Any = column(models.ClosingReceipt.receipt_url, "Where the customer can look at it.")
    error_code: Any = column(
        models.ClosingReceipt.error_code,
        "Why it failed: the gateway's code, NO_ANSWER, NOT_POSSIBLE or NOT_REGISTERED; else null.",
    )
    error_message: Any = column(models.ClosingReceipt.error_message, "What was said of the failure.")
    created_at: Any = column(models.ClosingReceipt.created_at, "When it became owed.")
    updated_at: Any = column(models.ClosingReceipt.updated_at, "When it last changed.")
    payment: Any = to_one("schema.payments.Payment", models.ClosingReceipt.payment_id, "The prepayment.")
    invoice: Any = to_one(
        "schema.billing.Invoice", models.ClosingReceipt.invoice_id, "What was billed.", requires="invoice:read"
    )
    partner: Any = to_one(
        "schema.partners.Partner", models.ClosingReceipt.partner_id, "Who gets it.", requires="partner:read"
    )
    recorded_by: Any = to_one(
        "schema.access.User",
        models.ClosingReceipt.recorded_by_user_id,
        "Who made it at the cash register; null where the gateway did.",
        requires="user:read",
    )


@strawberry.input(description="A closing receipt that failed, to be sent once more.")
class ClosingReceiptSendInput(KeyedInput):
    """A closing receipt that failed, to be sent once more."""

    id: strawberry.ID = strawberry.field(
        description="The closing receipt. Make sure that the cash register has none: a repeat makes a second one."
    )


@strawberry.input(description="A closing receipt that somebody made at the cash register.")
class ClosingReceiptRecordInput(KeyedInput):
    """A closing receipt that somebody made at the cash register."""

    id: strawberry.ID = strawberry.field(description="The closing receipt; it is BY_HAND or FAILED.")
    fiscal_document: str = strawberry.field(
        description="Number of the fiscal document, as it is printed on the receipt."
    )


@plain(requires="", description="A closing receipt as it stands.")
class ClosingReceiptPayload(Payload):
    """A closing receipt as it stands."""

    closing_receipt: Any = object_value(
        "schema.closing_receipts.ClosingReceipt", "The receipt; null where there are user errors."
    )
