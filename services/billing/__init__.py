"""Subscriptions, invoices and payments, one verb a function."""

from services.billing.cancel import cancel_subscription, preview_cancel, undo_cancel
from services.billing.charging import carry_on, charge_invoice, plan_due_charges
from services.billing.closing_receipts import (
    give_up_unanswered_receipts,
    plan_closing_receipts,
    send_closing_receipt,
)
from services.billing.closing_receipts_by_hand import record_closing_receipt, retry_closing_receipt
from services.billing.correct import correct_subscription
from services.billing.extend import Extension, extend_subscription, extend_trial, preview_extension
from services.billing.install_edit import set_subscription_kind
from services.billing.invoices import cancel_invoice, mark_paid, refresh_payment_link
from services.billing.lapse import lapse_due
from services.billing.lapsed import cancel_lapsed
from services.billing.newest import Moved, move_many_to_newest, move_to_newest
from services.billing.notices import notify_ending
from services.billing.notifications import apply_notification, receive_notification
from services.billing.one_off import AskedLine, create_invoice
from services.billing.pause import pause_subscription, resume_subscription
from services.billing.payments import ask_for_unsettled, open_payment
from services.billing.plan_change import (
    Wanted,
    change_plan_at_renewal,
    change_plan_now,
    preview_change,
    set_price,
    undo_change,
)
from services.billing.refund_sending import ask_for_open_refunds, send_refund
from services.billing.refunds import RefundQuote, preview_refund, record_refund, request_refund, resolve_refund
from services.billing.renewals import issue_due_renewals
from services.billing.renewing import bill_renewal, plan_charge, set_auto_renew
from services.billing.repair import close_payment, confirm_payment, repair_payment
from services.billing.seats import add_seats, preview_seats, remove_seats
from services.billing.subscriptions import create_subscription, preview_subscription

__all__ = [
    "AskedLine",
    "Extension",
    "Moved",
    "RefundQuote",
    "Wanted",
    "add_seats",
    "apply_notification",
    "ask_for_open_refunds",
    "ask_for_unsettled",
    "bill_renewal",
    "cancel_invoice",
    "cancel_lapsed",
    "cancel_subscription",
    "carry_on",
    "change_plan_at_renewal",
    "change_plan_now",
    "charge_invoice",
    "close_payment",
    "confirm_payment",
    "correct_subscription",
    "create_invoice",
    "create_subscription",
    "extend_subscription",
    "extend_trial",
    "give_up_unanswered_receipts",
    "issue_due_renewals",
    "lapse_due",
    "mark_paid",
    "move_many_to_newest",
    "move_to_newest",
    "notify_ending",
    "open_payment",
    "pause_subscription",
    "plan_charge",
    "plan_closing_receipts",
    "plan_due_charges",
    "preview_cancel",
    "preview_change",
    "preview_extension",
    "preview_refund",
    "preview_seats",
    "preview_subscription",
    "receive_notification",
    "record_closing_receipt",
    "record_refund",
    "refresh_payment_link",
    "remove_seats",
    "repair_payment",
    "request_refund",
    "resolve_refund",
    "resume_subscription",
    "retry_closing_receipt",
    "send_closing_receipt",
    "send_refund",
    "set_auto_renew",
    "set_price",
    "set_subscription_kind",
    "undo_cancel",
    "undo_change",
]
