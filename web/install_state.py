"""How REST doors tell the state of an install (INS-5)."""

from __future__ import annotations

from typing import Any

from services.install_state import InstallState


def told_state(state: InstallState) -> dict[str, Any]:
    """The JSON of a state."""
    invoice = None
    if state.invoice_number is not None:
        invoice = {
            "number": state.invoice_number,
            "total": state.invoice_total,
            "currency": state.invoice_currency,
            "paymentLink": state.payment_link,
        }
    subscription = None
    if state.subscription_status is not None:
        subscription = {
            "status": state.subscription_status,
            "plan": state.plan,
            "seats": state.seats,
            "autoRenew": state.auto_renew,
            "endsWithPeriod": state.cancel_at_period_end,
            "modules": state.modules,
            "limits": {
                "users": state.most_users,
                "departments": state.most_departments,
                "integrations": state.most_integrations,
                "apiRequestsPerMinute": state.api_requests_per_minute,
            },
        }
    return {
        "installId": str(state.install_id),
        "status": state.status,
        "active": state.active,
        "kind": state.subscription_kind,
        "paidUntil": state.subscribed_until,
        "subscription": subscription,
        "balance": state.balance,
        "balanceIsLow": state.low,
        "invoice": invoice,
    }
