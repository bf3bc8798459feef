"""Doors to changes of subscriptions, and to invoices that people write (SUB-5, SUB-6, CAT-2, INV-1).

The mutations run beyond row-level security, as partners may change their own subscriptions but not write invoices'
counters or products' events; every service loads its rows in the caller's scope.
"""

from __future__ import annotations

from typing import Any

import strawberry

from core.database import transaction
from core.ids import encode_id
from domain.proration import ChangeQuote
from domain.subscription_actions import ChangeWhen
from planner.binding import function_root
from planner.context import RunContext
from resolvers.inputs import key_of, optional_key
from resolvers.mutation import MutationContext, mutation
from resolvers.values import money, open_after_commit
from schema.billing_inputs import InvoicePaymentPayload
from schema.subscription_changes import (
    InvoiceCreateInput,
    SubscriptionAddSeatsInput,
    SubscriptionCancelInput,
    SubscriptionCancelPreview,
    SubscriptionChangeInput,
    SubscriptionChangePlanInput,
    SubscriptionChangePreview,
    SubscriptionExtendInput,
    SubscriptionExtendPreview,
    SubscriptionExtendTrialInput,
    SubscriptionInvoicePayload,
    SubscriptionPauseInput,
    SubscriptionPayload,
    SubscriptionPreviewCancelInput,
    SubscriptionPreviewChangeInput,
    SubscriptionPreviewExtendInput,
    SubscriptionPreviewSeatsInput,
    SubscriptionRemoveSeatsInput,
    SubscriptionSeatsPreview,
    SubscriptionSetAutoRenewInput,
    SubscriptionSetPriceInput,
    SubscriptionsMovePayload,
    SubscriptionsMoveToNewestPlanInput,
)
from services import billing
from services.billing.newest import MOST_AT_ONCE


async def subscription_preview_seats(context: RunContext, input: SubscriptionPreviewSeatsInput) -> dict[str, Any]:
    """What more seats would cost until the period ends, without saving anything (SUB-5)."""
    async with transaction(context.principal) as session:
        quote = await billing.preview_seats(
            session, context.principal, subscription_id=key_of(input.id, "Subscription", "id"), seats=input.seats
        )
    return {
        "added": quote.added,
        "months": quote.months,
        "unit_price": money(quote.unit_price, quote.currency),
        "total": money(quote.total, quote.currency),
    }


async def subscription_preview_change(context: RunContext, input: SubscriptionPreviewChangeInput) -> dict[str, Any]:
    """What another plan or term would cost, without saving anything (SUB-6)."""
    async with transaction(context.principal) as session:
        change: ChangeQuote = await billing.preview_change(
            session,
            context.principal,
            subscription_id=key_of(input.id, "Subscription", "id"),
            wanted=_wanted(input),
            when=input.when,
        )
    new = change.new
    return {
        "term": new.term,
        "seats": new.seats,
        "unit_price": money(new.unit_price, new.currency),
        "price": money(new.total, new.currency),
        "credit": money(change.credit, new.currency),
        "due": money(change.due, new.currency),
        "starts_at": change.starts_at,
        "ends_at": change.ends_at,
    }


async def subscription_preview_cancel(context: RunContext, input: SubscriptionPreviewCancelInput) -> dict[str, Any]:
    """What cancelling would mean, without doing it (SUB-6)."""
    async with transaction(context.principal) as session:
        quote = await billing.preview_cancel(
            session, context.principal, subscription_id=key_of(input.id, "Subscription", "id"), when=input.when
        )
    return {"access_until": quote.access_until, "unused": money(quote.unused, quote.currency)}


async def subscription_preview_extend(context: RunContext, input: SubscriptionPreviewExtendInput) -> dict[str, Any]:
    """The end that an extension would bring, without saving anything (SUB-6)."""
    async with transaction(context.principal) as session:
        ends_at = await billing.preview_extension(
            session,
            context.principal,
            subscription_id=key_of(input.id, "Subscription", "id"),
            by=billing.Extension(months=input.months, until=input.until),
        )
    return {"ends_at": ends_at}


async def subscription_cancel(context: MutationContext, input: SubscriptionCancelInput) -> dict[str, Any]:
    """End a subscription with its period or at once; unpaid orders of changes are withdrawn (SUB-6)."""
    changed = await billing.cancel_subscription(
        context.session, context.actor, **_target(input), when=input.when, reason=input.reason
    )
    return {"subscription": changed.id}


async def subscription_undo_cancel(context: MutationContext, input: SubscriptionChangeInput) -> dict[str, Any]:
    """Let a subscription that was to end with its period go on (SUB-6)."""
    changed = await billing.undo_cancel(context.session, context.actor, **_target(input))
    return {"subscription": changed.id}


async def subscription_pause(context: MutationContext, input: SubscriptionPauseInput) -> dict[str, Any]:
    """Stop a subscription's time: no access and no renewal; the rest of the period is kept (SUB-6)."""
    changed = await billing.pause_subscription(context.session, context.actor, **_target(input), reason=input.reason)
    return {"subscription": changed.id}


async def subscription_resume(context: MutationContext, input: SubscriptionChangeInput) -> dict[str, Any]:
    """Let a paused subscription's time run again; its end moves by the length of the pause (SUB-6)."""
    changed = await billing.resume_subscription(context.session, context.actor, **_target(input))
    return {"subscription": changed.id}


async def subscription_add_seats(context: MutationContext, input: SubscriptionAddSeatsInput) -> dict[str, Any]:
    """Order more seats for the rest of the period; they are there when the invoice is paid (SUB-5)."""
    changed, invoice, payment = await billing.add_seats(
        context.session, context.actor, **_target(input), seats=input.seats
    )
    open_after_commit(context, payment)
    return {"subscription": changed.id, "invoice": invoice and invoice.id, "payment": payment and payment.id}


async def subscription_remove_seats(context: MutationContext, input: SubscriptionRemoveSeatsInput) -> dict[str, Any]:
    """Have fewer seats from the next renewal on (SUB-5)."""
    changed = await billing.remove_seats(context.session, context.actor, **_target(input), seats=input.seats)
    return {"subscription": changed.id}


async def subscription_change_plan(context: MutationContext, input: SubscriptionChangePlanInput) -> dict[str, Any]:
    """Change plan, term, seats or price: now, with credit for the unused part, or at the renewal (SUB-6)."""
    wanted = _wanted(input)
    if input.when == ChangeWhen.RENEWAL:
        changed = await billing.change_plan_at_renewal(context.session, context.actor, **_target(input), wanted=wanted)
        return {"subscription": changed.id, "invoice": None, "payment": None}
    changed, invoice, payment = await billing.change_plan_now(
        context.session, context.actor, **_target(input), wanted=wanted
    )
    open_after_commit(context, payment)
    return {"subscription": changed.id, "invoice": invoice.id, "payment": payment and payment.id}


async def subscription_undo_change(context: MutationContext, input: SubscriptionChangeInput) -> dict[str, Any]:
    """Take back what waits: changes at the renewal, and the unpaid order of seats or another plan (SUB-5, SUB-6)."""
    changed = await billing.undo_change(context.session, context.actor, **_target(input))
    return {"subscription": changed.id}


async def subscription_set_price(context: MutationContext, input: SubscriptionSetPriceInput) -> dict[str, Any]:
    """Give an individual price from the next renewal on, or bring the plan's back (SUB-1)."""
    changed = await billing.set_price(context.session, context.actor, **_target(input), unit_price=input.unit_price)
    return {"subscription": changed.id}


async def subscription_set_auto_renew(context: MutationContext, input: SubscriptionSetAutoRenewInput) -> dict[str, Any]:
    """Have renewals charged by themselves, or only billed (SUB-1)."""
    changed = await billing.set_auto_renew(
        context.session, context.actor, **_target(input), auto_renew=input.auto_renew
    )
    return {"subscription": changed.id}


async def subscription_extend(context: MutationContext, input: SubscriptionExtendInput) -> dict[str, Any]:
    """Move a subscription's end by hand, for example after a payment outside; an ended one lives again (SUB-6)."""
    changed, invoice = await billing.extend_subscription(
        context.session,
        context.actor,
        **_target(input),
        by=billing.Extension(months=input.months, until=input.until),
        note=input.note,
        paid=input.paid_amount,
    )
    return {"subscription": changed.id, "invoice": invoice and invoice.id, "payment": None}


async def subscription_extend_trial(context: MutationContext, input: SubscriptionExtendTrialInput) -> dict[str, Any]:
    """Give a trial more days; one that has ended begins again (SUB-6)."""
    changed = await billing.extend_trial(
        context.session, context.actor, **_target(input), days=input.days, reason=input.reason
    )
    return {"subscription": changed.id}


async def subscription_move_to_newest_plan(context: MutationContext, input: SubscriptionChangeInput) -> dict[str, Any]:
    """Have the newest version of the plan from the next renewal on; an individual price stays (CAT-2)."""
    changed = await billing.move_to_newest(context.session, context.actor, **_target(input))
    return {"subscription": changed.id}


async def subscriptions_move_to_newest_plan(
    context: MutationContext, input: SubscriptionsMoveToNewestPlanInput
) -> dict[str, Any]:
    """Move a tariff's subscriptions, 1,000 a call, to its newest version from their renewals on (CAT-2, API-4)."""
    after = optional_key(input.after, "Subscription", "after")
    moved = await billing.move_many_to_newest(
        context.session, context.actor, plan_id=key_of(input.plan_id, "Plan", "planId"), after=after or 0
    )
    results = [
        {
            "subscription_id": encode_id("Subscription", one.subscription_id),
            "moved": one.error is None,
            "code": one.error and one.error.code,
            "message": one.error and one.error.message,
        }
        for one in moved
    ]
    return {
        "results": results,
        "moved_count": sum(one.error is None for one in moved),
        "has_more": len(moved) == MOST_AT_ONCE,
    }


async def invoice_create(context: MutationContext, input: InvoiceCreateInput) -> dict[str, Any]:
    """Issue an invoice over free lines, with a payment link (INV-1)."""
    invoice, payment = await billing.create_invoice(
        context.session,
        context.actor,
        partner_id=key_of(input.partner_id, "Partner", "partnerId"),
        install_id=optional_key(input.install_id, "Install", "installId"),
        lines=[billing.AskedLine(line.description, line.quantity, line.unit_price) for line in input.lines],
        currency=input.currency,
        due_days=input.due_days,
    )
    open_after_commit(context, payment)
    return {"invoice": invoice.id, "payment": payment.id}


def _target(input: Any) -> dict[str, int]:
    return {"subscription_id": key_of(input.id, "Subscription", "id"), "version": input.version}


def _wanted(input: SubscriptionChangePlanInput | SubscriptionPreviewChangeInput) -> billing.Wanted:
    return billing.Wanted(
        plan_id=optional_key(input.plan_id, "Plan", "planId"),
        term=input.term,
        seats=input.seats,
        unit_price=input.unit_price,
    )


@strawberry.type(description="Queries of what changes of subscriptions would mean.")
class SubscriptionQueries:
    """Queries of what changes of subscriptions would mean."""

    subscription_preview_seats: Any = function_root(
        subscription_preview_seats, SubscriptionSeatsPreview, requires="subscription:read"
    )
    subscription_preview_change: Any = function_root(
        subscription_preview_change, SubscriptionChangePreview, requires="subscription:read"
    )
    subscription_preview_cancel: Any = function_root(
        subscription_preview_cancel, SubscriptionCancelPreview, requires="subscription:read"
    )
    subscription_preview_extend: Any = function_root(
        subscription_preview_extend, SubscriptionExtendPreview, requires="subscription:read"
    )


def _change(function: Any, payload: Any = SubscriptionPayload, requires: str = "subscription:change") -> Any:
    return mutation(function, payload, requires=requires, as_application=True)


@strawberry.type(description="Mutations of subscriptions, and invoices that people write.")
class SubscriptionMutations:
    """Mutations of subscriptions, and invoices that people write."""

    subscription_cancel: Any = _change(subscription_cancel)
    subscription_undo_cancel: Any = _change(subscription_undo_cancel)
    subscription_add_seats: Any = _change(subscription_add_seats, SubscriptionInvoicePayload)
    subscription_remove_seats: Any = _change(subscription_remove_seats)
    subscription_change_plan: Any = _change(subscription_change_plan, SubscriptionInvoicePayload)
    subscription_undo_change: Any = _change(subscription_undo_change)
    subscription_set_auto_renew: Any = _change(subscription_set_auto_renew)
    subscription_move_to_newest_plan: Any = _change(subscription_move_to_newest_plan)
    subscription_pause: Any = _change(subscription_pause, requires="subscription:adjust")
    subscription_resume: Any = _change(subscription_resume, requires="subscription:adjust")
    subscription_set_price: Any = _change(subscription_set_price, requires="subscription:adjust")
    subscription_extend: Any = _change(subscription_extend, SubscriptionInvoicePayload, "subscription:adjust")
    subscription_extend_trial: Any = _change(subscription_extend_trial, requires="subscription:adjust")
    subscriptions_move_to_newest_plan: Any = _change(
        subscriptions_move_to_newest_plan, SubscriptionsMovePayload, "subscription:adjust"
    )
    invoice_create: Any = _change(invoice_create, InvoicePaymentPayload, "invoice:write")
