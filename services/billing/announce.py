"""What the install shows of its subscription, and what its product hears of changes and bills (INS-1, NOT-2)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing import InvoiceKind, SubscriptionStatus
from domain.installs import SubscriptionKind
from models import Install, Invoice, Subscription
from services import events

# Bills that nobody has ordered in the product: it hears when they are issued and when they are withdrawn.
UNASKED = frozenset({InvoiceKind.RENEWAL, InvoiceKind.ONE_OFF})
_KINDS = {
    SubscriptionStatus.TRIAL: SubscriptionKind.TRIAL,
    SubscriptionStatus.ACTIVE: SubscriptionKind.PAID,
    SubscriptionStatus.PAST_DUE: SubscriptionKind.PAID,
}


def show_on_install(install: Install, subscription: Subscription) -> None:
    """Bring the install in step with its subscription; a paused one gives no access."""
    kind = _KINDS.get(subscription.status, SubscriptionKind.NONE)
    if subscription.paused_at is not None:
        kind = SubscriptionKind.NONE
    install.subscription_kind = kind
    install.subscribed_until = None if kind == SubscriptionKind.NONE else subscription.ends_at


async def announce(session: AsyncSession, install: Install, subscription: Subscription, type: str, **more: Any) -> None:
    """Tell the product how its subscription stands after a change.

    Parameters:
        type: for example ``subscription.changed``.
        more: what is particular to this change, as JSON values.
    """
    until = install.subscribed_until
    data = {
        "subscriptionId": str(subscription.id),
        "status": subscription.status.value,
        "seats": str(subscription.seats),
        "activeUntil": until.isoformat() if until else None,
        **more,
    }
    await events.emit(session, install, type, data)


async def announce_invoice(session: AsyncSession, install: Install, invoice: Invoice, type: str) -> None:
    """Tell the product of a bill; the install is locked.

    Parameters:
        type: for example ``invoice.paid``.
    """
    data = {
        "invoiceNumber": invoice.number,
        "kind": invoice.kind.value,
        "total": str(invoice.total),
        "currency": invoice.currency,
        "dueAt": invoice.due_at.isoformat(),
    }
    await events.emit(session, install, type, data)
