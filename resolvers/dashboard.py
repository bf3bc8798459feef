"""Doors to the dashboard and to rates of currencies (ANA-1, CAT-4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import strawberry

from core.database import transaction
from planner.binding import function_root
from planner.context import RunContext
from resolvers.mutation import MutationContext, mutation
from resolvers.values import money
from schema.dashboard import CurrencyRatePayload, CurrencyRateSetInput, Dashboard
from services import currencies
from services import dashboard as figures


async def dashboard(context: RunContext) -> dict[str, Any]:
    """Where the business stands now (ANA-1)."""
    async with transaction() as session:
        told = await figures.dashboard(session, context.principal)
    converted = told.mrr_converted
    return {
        **asdict(told),
        "mrr": _amounts(told.mrr),
        "owed": _amounts(told.owed),
        "mrr_converted": None if converted is None else money(converted, told.base_currency),
    }


async def currency_rate_set(context: MutationContext, input: CurrencyRateSetInput) -> dict[str, Any]:
    """Enter what a currency is worth in the base currency from a moment on (CAT-4)."""
    rate = await currencies.set_rate(
        context.session,
        context.actor,
        currency=input.currency,
        rate=input.rate,
        valid_from=input.valid_from,
        source=input.source,
    )
    return {"currency_rate": rate.id}


def _amounts(sums: Mapping[str, Decimal]) -> list[dict[str, Any]]:
    return [money(amount, currency) for currency, amount in sums.items()]


@strawberry.type(description="Queries of the dashboard.")
class DashboardQueries:
    """Queries of the dashboard."""

    dashboard: Any = function_root(dashboard, Dashboard, requires="dashboard:read")


@strawberry.type(description="Mutations of rates of currencies.")
class CurrencyMutations:
    """Mutations of rates of currencies."""

    currency_rate_set: Any = mutation(currency_rate_set, CurrencyRatePayload, requires="currency_rate:write")
