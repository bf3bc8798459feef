"""Reports of reconciliation as the API shows them (INV-6)."""

from __future__ import annotations

from typing import Any

import strawberry

import models
from planner.binding import Node, any_of, bound, column, equals, filter_input, order_input, to_many, to_one
from schema.payload import KeyedInput

READ = "payment:reconcile"
ReconciliationFilter = filter_input(
    "Reconciliation", {"gateway": equals(models.Reconciliation.gateway, "Only of this gateway.")}
)
ReconciliationOrder = order_input("Reconciliation", {"DAY_START": models.Reconciliation.day_start})


@bound(models.Reconciliation, requires=READ, description="A day's payments compared with the gateway's (INV-6).")
class Reconciliation(Node):
    """A day's payments compared with the gateway's."""

    gateway: str = column(models.Reconciliation.gateway, "The gateway.")
    day_start: Any = column(models.Reconciliation.day_start, "Where the legal entity's day begins.")
    checked: int = column(models.Reconciliation.checked, "Payments that the gateway was asked about.")
    unanswered: int = column(models.Reconciliation.unanswered, "Payments about which it gave no answer.")
    repaired: int = column(models.Reconciliation.repaired, "Differences that were mended by taking its word.")
    open: int = column(models.Reconciliation.open, "Differences that wait for a person.")
    finished_at: Any = column(models.Reconciliation.finished_at, "When it was done; null while it runs.")
    created_at: Any = column(models.Reconciliation.created_at, "When it was first begun.")
    updated_at: Any = column(models.Reconciliation.updated_at, "When it was last run.")
    differences: Any = to_many(
        "schema.reconciliation.ReconciliationDifference",
        models.ReconciliationDifference.reconciliation_id,
        "What differed.",
    )


ReconciliationDifferenceFilter = filter_input(
    "ReconciliationDifference",
    {
        "reconciliation_id": equals(
            models.ReconciliationDifference.reconciliation_id, "Only of this report.", id_of="Reconciliation"
        ),
        "kind": any_of(models.ReconciliationDifference.kind, "Only these kinds."),
        "repaired": equals(models.ReconciliationDifference.repaired, "Only mended ones, or only those that wait."),
    },
)
ReconciliationDifferenceOrder = order_input("ReconciliationDifference")


@bound(
    models.ReconciliationDifference,
    requires=READ,
    description="A payment of which the gateway says something else than we do (INV-6).",
)
class ReconciliationDifference(Node):
    """A payment of which the gateway says something else."""

    kind: Any = column(models.ReconciliationDifference.kind, "What differs.")
    ours: str = column(models.ReconciliationDifference.ours, "What we say.")
    theirs: str = column(models.ReconciliationDifference.theirs, "What the gateway says, in its own word.")
    repaired: bool = column(models.ReconciliationDifference.repaired, "Whether its word was taken.")
    created_at: Any = column(models.ReconciliationDifference.created_at, "When it was found.")
    reconciliation: Any = to_one(
        "schema.reconciliation.Reconciliation", models.ReconciliationDifference.reconciliation_id, "The report."
    )
    payment: Any = to_one(
        "schema.payments.Payment", models.ReconciliationDifference.payment_id, "The payment.", requires="payment:read"
    )


@strawberry.input(description="A day to compare.")
class PaymentsReconcileInput(KeyedInput):
    """A day to compare."""

    day: str = strawberry.field(description="The legal entity's day, such as 2026-11-20; it must be over.")
