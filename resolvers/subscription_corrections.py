"""Doors to what people set right by hand, and to a renewal billed now (SUB-1, SUB-4, INS-1)."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import strawberry

from domain.billing import PaymentStatus
from resolvers.inputs import given, key_of, optional_key
from resolvers.mutation import MutationContext, mutation
from schema.installs import InstallPayload
from schema.subscription_changes import SubscriptionInvoicePayload, SubscriptionPayload
from schema.subscription_corrections import (
    InstallUpdateInput,
    SubscriptionBillRenewalInput,
    SubscriptionCorrectInput,
)
from services import billing
from services.billing.correct import Correction
from services.billing.install_edit import Tariff

_CARD = frozenset({"rebill_id"})


async def subscription_correct(context: MutationContext, input: SubscriptionCorrectInput) -> dict[str, Any]:
    """Set what a subscription says, at once and without a bill, where no other change can put it right (SUB-1)."""
    values = given(input, nullable=_CARD)
    reason = values.pop("reason")
    if "plan_id" in values:
        values["plan_id"] = key_of(values["plan_id"], "Plan", "planId")
    changed = await billing.correct_subscription(
        context.session,
        context.actor,
        subscription_id=key_of(input.id, "Subscription", "id"),
        version=input.version,
        values=cast(Correction, values),
        reason=reason,
    )
    return {"subscription": changed.id}


async def subscription_bill_renewal(context: MutationContext, input: SubscriptionBillRenewalInput) -> dict[str, Any]:
    """Bill the next period now: ahead of time, or again where its bill was withdrawn (SUB-4)."""
    changed, invoice, payment = await billing.bill_renewal(
        context.session,
        context.actor,
        subscription_id=key_of(input.id, "Subscription", "id"),
        version=input.version,
    )
    if payment is not None and payment.status == PaymentStatus.NEW:
        context.after_commit(partial(billing.open_payment, payment.id))
    return {"subscription": changed.id, "invoice": invoice.id, "payment": payment and payment.id}


async def install_update(context: MutationContext, input: InstallUpdateInput) -> dict[str, Any]:
    """Have an install live on a trial, on a paid period or on nothing, until a moment, without a bill (INS-1)."""
    plan_id = optional_key(input.plan_id, "Plan", "planId")
    install = await billing.set_subscription_kind(
        context.session,
        context.actor,
        install_id=key_of(input.id, "Install", "id"),
        kind=input.subscription_kind,
        until=input.subscribed_until,
        reason=input.reason,
        tariff=None if plan_id is None else Tariff(plan_id, input.term, input.seats),
    )
    return {"install": install.id}


@strawberry.type(description="Mutations of what people set right by hand.")
class CorrectionMutations:
    """Mutations of what people set right by hand."""

    subscription_correct: Any = mutation(
        subscription_correct, SubscriptionPayload, requires="subscription:adjust", as_application=True
    )
    subscription_bill_renewal: Any = mutation(
        subscription_bill_renewal, SubscriptionInvoicePayload, requires="subscription:change", as_application=True
    )
    install_update: Any = mutation(install_update, InstallPayload, requires="subscription:adjust", as_application=True)
