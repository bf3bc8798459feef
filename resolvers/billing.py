"""Doors to billing: prices, orders, payment links, settling by hand (SUB-2, SUB-3, INV-2)."""

from __future__ import annotations

from typing import Any

import strawberry

from core.database import transaction
from planner.binding import function_root
from planner.context import RunContext
from resolvers.inputs import key_of
from resolvers.mutation import MutationContext, mutation
from resolvers.values import money, open_after_commit
from schema.billing_inputs import (
    InvoiceCancelInput,
    InvoiceMarkPaidInput,
    InvoicePayload,
    InvoicePaymentPayload,
    InvoiceRefreshPaymentLinkInput,
    SubscriptionCreateInput,
    SubscriptionPreview,
    SubscriptionPreviewInput,
)
from services import billing


async def subscription_preview(context: RunContext, input: SubscriptionPreviewInput) -> dict[str, Any]:
    """What a subscription would cost, without saving anything (SUB-2)."""
    async with transaction(context.principal) as session:
        quote = await billing.preview_subscription(
            session,
            context.principal,
            plan_id=key_of(input.plan_id, "Plan", "planId"),
            term=input.term,
            seats=input.seats,
            unit_price=input.unit_price,
        )
    return {
        "term": quote.term,
        "months": quote.months,
        "seats": quote.seats,
        "unit_price": money(quote.unit_price, quote.currency),
        "per_month": money(quote.per_month, quote.currency),
        "total": money(quote.total, quote.currency),
    }


async def subscription_create(context: MutationContext, input: SubscriptionCreateInput) -> dict[str, Any]:
    """Order a subscription: an invoice and a payment link; the payment activates it (SUB-3)."""
    invoice, payment = await billing.create_subscription(
        context.session,
        context.actor,
        install_id=key_of(input.install_id, "Install", "installId"),
        plan_id=key_of(input.plan_id, "Plan", "planId"),
        term=input.term,
        seats=input.seats,
        auto_renew=input.auto_renew,
        unit_price=input.unit_price,
        replace=input.replace,
    )
    open_after_commit(context, payment)
    return {"invoice": invoice.id, "payment": None if payment is None else payment.id}


async def invoice_refresh_payment_link(
    context: MutationContext, input: InvoiceRefreshPaymentLinkInput
) -> dict[str, Any]:
    """Get a working payment link: the one there is, or a new one where it has expired or was refused (INV-2)."""
    payment = await billing.refresh_payment_link(
        context.session, context.actor, invoice_id=key_of(input.id, "Invoice", "id")
    )
    open_after_commit(context, payment)
    return {"invoice": payment.invoice_id, "payment": payment.id}


async def invoice_mark_paid(context: MutationContext, input: InvoiceMarkPaidInput) -> dict[str, Any]:
    """Record a payment made outside the gateway, and start what it bought (INV-2)."""
    payment = await billing.mark_paid(
        context.session, context.actor, invoice_id=key_of(input.id, "Invoice", "id"), note=input.note
    )
    return {"invoice": payment.invoice_id, "payment": payment.id}


async def invoice_cancel(context: MutationContext, input: InvoiceCancelInput) -> dict[str, Any]:
    """Take an unpaid invoice back (INV-2)."""
    invoice = await billing.cancel_invoice(context.session, context.actor, invoice_id=key_of(input.id, "Invoice", "id"))
    return {"invoice": invoice.id}


@strawberry.type(description="Queries of billing beyond the tables.")
class BillingQueries:
    """Queries of billing beyond the tables."""

    subscription_preview: Any = function_root(subscription_preview, SubscriptionPreview, requires="plan:read")


@strawberry.type(description="Mutations of billing.")
class BillingMutations:
    """Mutations of billing."""

    subscription_create: Any = mutation(
        subscription_create, InvoicePaymentPayload, requires="subscription:write", as_application=True
    )
    invoice_refresh_payment_link: Any = mutation(
        invoice_refresh_payment_link, InvoicePaymentPayload, requires="invoice:pay"
    )
    invoice_mark_paid: Any = mutation(invoice_mark_paid, InvoicePaymentPayload, requires="invoice:settle")
    invoice_cancel: Any = mutation(invoice_cancel, InvoicePayload, requires="invoice:write")
