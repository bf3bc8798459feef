"""Payments and what gateways said of them, as the outside sees them (INV-3)."""

from __future__ import annotations

from typing import Any

import models
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
    money,
    order_input,
    to_many,
    to_one,
)
from schema.allowed_actions import payment_allowed_actions

PaymentFilter = filter_input(
    "Payment",
    {
        "partner_id": equals(models.Payment.partner_id, "Only payments of this partner.", id_of="Partner"),
        "invoice_id": equals(models.Payment.invoice_id, "Only payments of this bill.", id_of="Invoice"),
        "status": any_of(models.Payment.status, "Only payments in these states."),
        "gateway": equals(models.Payment.gateway, "Only payments through this gateway."),
        "method": any_of(models.Payment.method, "Only payments made in these ways."),
        "gateway_payment_id": equals(models.Payment.gateway_payment_id, "Only the one that the gateway calls so."),
        "created_from": at_least(models.Payment.created_at, "Only those begun at this moment or later."),
        "created_before": before(models.Payment.created_at, "Only those begun before this moment."),
    },
)
PaymentOrder = order_input("Payment", {"CREATED_AT": models.Payment.created_at})


@bound(models.Payment, requires="payment:read", description="An attempt to settle a bill (INV-3).")
class Payment(Node):
    """An attempt to settle a bill."""

    gateway: Any = column(models.Payment.gateway, "Name of the gateway; `manual` for payments outside.")
    method: Any = column(models.Payment.method, "How it is made.")
    status: Any = column(models.Payment.status, "Our state, common to all gateways.")
    gateway_status: Any = column(models.Payment.gateway_status, "The gateway's own word for its state.")
    gateway_payment_id: Any = column(models.Payment.gateway_payment_id, "The gateway's number.")
    amount: Money = money(models.Payment.amount, models.Payment.currency, "Amount.")
    refunded_amount: Money = money(models.Payment.refunded_amount, models.Payment.currency, "What was given back.")
    payment_link: Any = column(models.Payment.payment_link, "The gateway's page.")
    link_expires_at: Any = column(models.Payment.link_expires_at, "Until when the page can be used.")
    rrn: Any = column(models.Payment.rrn, "Retrieval reference number.", requires="payment:detail")
    authorization_code: Any = column(
        models.Payment.authorization_code, "Authorisation code of the bank.", requires="payment:detail"
    )
    masked_card: Any = column(models.Payment.masked_card, "Card number, masked.", requires="payment:detail")
    error_code: Any = column(models.Payment.error_code, "The gateway's error code.")
    error_message: Any = column(models.Payment.error_message, "What the gateway said of the failure.")
    gateway_answer: Any = column(
        models.Payment.gateway_answer, "The gateway's last answer, personal data masked.", requires="payment:detail"
    )
    receipt_method: Any = column(
        models.Payment.receipt_method, "What its receipt (54-FZ) calls it; null where it has none."
    )
    confirmed_at: Any = column(models.Payment.confirmed_at, "When the money was ours.")
    allowed_actions: Any = payment_allowed_actions()
    created_at: Any = column(models.Payment.created_at, "When it was begun.")
    updated_at: Any = column(models.Payment.updated_at, "When its state last changed.")
    invoice: Any = to_one("schema.billing.Invoice", models.Payment.invoice_id, "What it settles.")
    partner: Any = to_one("schema.partners.Partner", models.Payment.partner_id, "Who pays.")
    refunds: Any = to_many("schema.refunds.Refund", models.Refund.payment_id, "What was given back of it.")
    closing_receipts: Any = to_many(
        "schema.closing_receipts.ClosingReceipt",
        models.ClosingReceipt.payment_id,
        "The closing receipt that a prepayment owes; one at most.",
    )
    state_changes: Any = to_many(
        "schema.payments.PaymentStateChange", models.PaymentStateChange.payment_id, "History of states."
    )


PaymentStateChangeFilter = filter_input(
    "PaymentStateChange",
    {"payment_id": equals(models.PaymentStateChange.payment_id, "Only steps of this payment.", id_of="Payment")},
)
PaymentStateChangeOrder = order_input("PaymentStateChange")


@bound(models.PaymentStateChange, requires="payment:read", description="One step of a payment (INV-3).")
class PaymentStateChange(Node):
    """One step of a payment."""

    from_status: Any = column(models.PaymentStateChange.from_status, "State before; null at the beginning.")
    to_status: Any = column(models.PaymentStateChange.to_status, "State after.")
    gateway_status: Any = column(models.PaymentStateChange.gateway_status, "The gateway's own word.")
    source: Any = column(models.PaymentStateChange.source, "What told us: an answer, a notification, a person.")
    created_at: Any = column(models.PaymentStateChange.created_at, "When.")
    payment: Any = to_one("schema.payments.Payment", models.PaymentStateChange.payment_id, "Which payment.")


GatewayNotificationFilter = filter_input(
    "GatewayNotification",
    {
        "status": any_of(models.GatewayNotification.status, "Only notifications with these outcomes."),
        "payment_id": equals(models.GatewayNotification.payment_id, "Only those of this payment.", id_of="Payment"),
    },
)
GatewayNotificationOrder = order_input("GatewayNotification")


@bound(
    models.GatewayNotification,
    requires="payment:detail",
    description="A gateway's message (INV-3).",
)
class GatewayNotification(Node):
    """A gateway's message."""

    gateway: Any = column(models.GatewayNotification.gateway, "Name of the gateway.")
    status: Any = column(models.GatewayNotification.status, "What became of it.")
    reason: Any = column(models.GatewayNotification.reason, "Why it was ignored or rejected.")
    raw: Any = column(models.GatewayNotification.raw, "The body as received, without keys of cards.")
    applied_at: Any = column(models.GatewayNotification.applied_at, "When it was applied.")
    created_at: Any = column(models.GatewayNotification.created_at, "When it came.")
    payment: Any = to_one(
        "schema.payments.Payment", models.GatewayNotification.payment_id, "Which payment it tells of."
    )
