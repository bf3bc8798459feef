"""Doors to money that came outside of gateways (INV-5)."""

from __future__ import annotations

from typing import Any

import strawberry

from resolvers.inputs import key_of
from resolvers.mutation import MutationContext, mutation
from schema.outside_payments import (
    OutsidePaymentIgnoreInput,
    OutsidePaymentMatchInput,
    OutsidePaymentPayload,
    OutsidePaymentReopenInput,
)
from services.billing import outside


async def outside_payment_match(context: MutationContext, input: OutsidePaymentMatchInput) -> dict[str, Any]:
    """Say which invoice money is for; it is settled and starts what it bought (INV-5)."""
    payment = await outside.match_by_hand(
        context.session,
        context.actor,
        outside_payment_id=key_of(input.id, "OutsidePayment", "id"),
        invoice_id=key_of(input.invoice_id, "Invoice", "invoiceId"),
    )
    return {"outside_payment": payment.id}


async def outside_payment_ignore(context: MutationContext, input: OutsidePaymentIgnoreInput) -> dict[str, Any]:
    """Put money aside that is for no invoice, with a word why (INV-5)."""
    payment = await outside.ignore(
        context.session,
        context.actor,
        outside_payment_id=key_of(input.id, "OutsidePayment", "id"),
        note=input.note,
    )
    return {"outside_payment": payment.id}


async def outside_payment_reopen(context: MutationContext, input: OutsidePaymentReopenInput) -> dict[str, Any]:
    """Let money that was put aside wait for a person again (INV-5)."""
    payment = await outside.reopen(
        context.session, context.actor, outside_payment_id=key_of(input.id, "OutsidePayment", "id")
    )
    return {"outside_payment": payment.id}


@strawberry.type(description="Mutations of money that came outside of gateways.")
class OutsidePaymentMutations:
    """Mutations of money that came outside of gateways."""

    outside_payment_match: Any = mutation(
        outside_payment_match, OutsidePaymentPayload, requires="outside_payment:write"
    )
    outside_payment_ignore: Any = mutation(
        outside_payment_ignore, OutsidePaymentPayload, requires="outside_payment:write"
    )
    outside_payment_reopen: Any = mutation(
        outside_payment_reopen, OutsidePaymentPayload, requires="outside_payment:write"
    )
