"""Subscriptions, invoices and payments, one verb a function."""

from services.billing.invoices import cancel_invoice, mark_paid, refresh_payment_link
from services.billing.notifications import apply_notification, receive_notification
from services.billing.payments import ask_for_unsettled, open_payment, repair_payment
from services.billing.subscriptions import create_subscription, preview_subscription

__all__ = [
    "apply_notification",
    "ask_for_unsettled",
    "cancel_invoice",
    "create_subscription",
    "mark_paid",
    "open_payment",
    "preview_subscription",
    "receive_notification",
    "refresh_payment_link",
    "repair_payment",
]
