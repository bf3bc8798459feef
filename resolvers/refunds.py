"""Doors to refunds (INV-2)."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import strawberry

from core.database import transaction
from domain.refunds import RefundStatus
from planner.binding import function_root
from planner.context import RunContext
from resolvers.inputs import key_of
from resolvers.mutation import MutationContext, mutation
from resolvers.values import money
from schema.refunds import (
    PaymentRecordRefundInput,
    PaymentRefundInput,
    PaymentRefundPayload,
    RefundPreview,
    RefundResolveInput,
)
from services import billing


async def payment_preview_refund(
    context: RunContext, payment_id: Annotated[strawberry.ID, strawberry.argument(description="The payment.")]
) -> dict[str, Any]:
    """What may be refunded of a payment now, without doing it (INV-2)."""
    async with transaction(context.principal) as session:
        quote = await billing.preview_refund(
            session, context.principal, payment_id=key_of(payment_id, "Payment", "paymentId")
        )
    coins = quote.with_coins_taken_back
    return {
        "refundable": money(quote.refundable, quote.currency),
        "with_coins_taken_back": None if coins is None else money(coins, quote.currency),
        "ends_subscription": quote.ends_subscription,
    }


async def payment_refund(context: MutationContext, input: PaymentRefundInput) -> dict[str, Any]:
    """Give money back, in full or in part: through its gateway, or by hand where it was paid by hand (INV-2)."""
    refund = await billing.request_refund(
        context.session,
        context.actor,
        payment_id=key_of(input.payment_id, "Payment", "paymentId"),
        amount=input.amount,
        reason=input.reason,
        subscription=input.subscription,
        coins=input.coins,
    )
    if refund.status == RefundStatus.PENDING:
        context.after_commit(partial(billing.send_refund, refund.id))
    return {"refund": refund.id, "payment": refund.payment_id}


async def payment_record_refund(context: MutationContext, input: PaymentRecordRefundInput) -> dict[str, Any]:
    """Book money that was given back at the gateway or by hand, and that no notification told of; nothing is sent."""
    refund = await billing.record_refund(
        context.session,
        context.actor,
        payment_id=key_of(input.payment_id, "Payment", "paymentId"),
        amount=input.amount,
        reason=input.reason,
    )
    return {"refund": refund.id, "payment": refund.payment_id}


async def refund_resolve(context: MutationContext, input: RefundResolveInput) -> dict[str, Any]:
    """Say what came of a refund that is IN_DOUBT, as you saw it at the gateway; nothing is sent (INV-2)."""
    refund = await billing.resolve_refund(
        context.session,
        context.actor,
        refund_id=key_of(input.id, "Refund", "id"),
        outcome=input.outcome,
        note=input.note,
    )
    return {"refund": refund.id, "payment": refund.payment_id}


@strawberry.type(description="Queries of refunds beyond the tables.")
class RefundQueries:
    """Queries of refunds beyond the tables."""

    payment_preview_refund: Any = function_root(payment_preview_refund, RefundPreview, requires="payment:refund")


@strawberry.type(description="Mutations of refunds.")
class RefundMutations:
    """Mutations of refunds."""

    payment_refund: Any = mutation(payment_refund, PaymentRefundPayload, requires="payment:refund")
    payment_record_refund: Any = mutation(payment_record_refund, PaymentRefundPayload, requires="payment:refund")
    refund_resolve: Any = mutation(refund_resolve, PaymentRefundPayload, requires="payment:refund")
