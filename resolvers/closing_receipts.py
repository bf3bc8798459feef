"""Doors to closing receipts (54-FZ)."""

from __future__ import annotations

from typing import Any

import strawberry

from resolvers.inputs import key_of
from resolvers.mutation import MutationContext, mutation
from schema.closing_receipts import ClosingReceiptPayload, ClosingReceiptRecordInput, ClosingReceiptSendInput
from services import billing


async def closing_receipt_send(context: MutationContext, input: ClosingReceiptSendInput) -> dict[str, Any]:
    """Send a closing receipt that failed once more; a worker does it (GW-1)."""
    receipt = await billing.retry_closing_receipt(
        context.session, context.actor, closing_receipt_id=key_of(input.id, "ClosingReceipt", "id")
    )
    return {"closing_receipt": receipt.id}


async def closing_receipt_record(context: MutationContext, input: ClosingReceiptRecordInput) -> dict[str, Any]:
    """Say that a closing receipt that is BY_HAND or FAILED was made at the cash register; nothing is sent (GW-1)."""
    receipt = await billing.record_closing_receipt(
        context.session,
        context.actor,
        closing_receipt_id=key_of(input.id, "ClosingReceipt", "id"),
        fiscal_document=input.fiscal_document,
    )
    return {"closing_receipt": receipt.id}


@strawberry.type(description="Mutations of closing receipts.")
class ClosingReceiptMutations:
    """Mutations of closing receipts."""

    closing_receipt_send: Any = mutation(closing_receipt_send, ClosingReceiptPayload, requires="payment:reconcile")
    closing_receipt_record: Any = mutation(closing_receipt_record, ClosingReceiptPayload, requires="payment:reconcile")
