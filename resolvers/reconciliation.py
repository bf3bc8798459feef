"""Doors to reconciliation (INV-6)."""

from __future__ import annotations

from datetime import date
from typing import Any

import strawberry

from domain import fields
from resolvers.mutation import MutationContext, mutation
from schema.effect_inputs import OutboxMessagePayload
from schema.reconciliation import PaymentsReconcileInput
from services.billing import reconciliation


async def payments_reconcile(context: MutationContext, input: PaymentsReconcileInput) -> dict[str, Any]:
    """Compare a day's payments with the gateway's, again where it was done before; a worker does it (INV-6)."""
    try:
        day = date.fromisoformat(input.day)
    except ValueError:
        raise fields.InvalidValue("day is not a day such as 2026-11-20", field=fields.path("day")) from None
    message = await reconciliation.request(context.session, context.actor, day=day)
    return {"outbox_message": message.id}


@strawberry.type(description="Mutations of reconciliation.")
class ReconciliationMutations:
    """Mutations of reconciliation."""

    payments_reconcile: Any = mutation(payments_reconcile, OutboxMessagePayload, requires="payment:reconcile")
