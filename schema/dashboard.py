"""The dashboard as the API shows it, each figure with its definition, and rates of currencies (ANA-1, CAT-4)."""

from __future__ import annotations

from typing import Any

import strawberry

import models
from planner.binding import (
    Money,
    Node,
    bound,
    column,
    equals,
    filter_input,
    object_value,
    order_input,
    plain,
    to_one,
    value,
)
from planner.scalars import DateTime, Decimal
from schema.payload import KeyedInput, Payload


@plain(requires="dashboard:read", description="Where the business stands now; all figures are of one moment (ANA-1).")
class Dashboard:
    """Where the business stands now."""

    products: int = value("Products that take new installs.")
    partners: int = value("Partners that are not archived.")
    active_installs: int = value("Installs in the state ACTIVATED.")
    trials: int = value("Subscriptions on trial.")
    past_due: int = value("Subscriptions whose renewal was not paid, within their days of grace.")
    ending: int = value(
        "Subscriptions on trial or active, and not paused, that end within the next 7 days, renewed or not."
    )
    unpaid: int = value("Invoices in the states PENDING and ACTION_REQUIRED.")
    overdue: int = value("Of these, invoices whose due date has passed.")
    owed: list[Money] = value("What the unpaid invoices are over, by currency.")
    mrr: list[Money] = value(
        "Monthly recurring revenue by currency: unit price times seats (once for FLAT plans) over the subscriptions in "
        "the state ACTIVE that are not paused. Unit prices are a month's, whatever the term."
    )
    mrr_converted: Money | None = value(
        "The same in the base currency by the rates that hold now, rounded a currency; null where one is missing."
    )
    missing_rates: list[str] = value("Currencies of the revenue that have no rate; see `currencyRateSet`.")


CurrencyRateFilter = filter_input(
    "CurrencyRate", {"currency": equals(models.CurrencyRate.currency, "Only of this currency.")}
)
CurrencyRateOrder = order_input("CurrencyRate", {"VALID_FROM": models.CurrencyRate.valid_from})


@bound(models.CurrencyRate, requires="currency_rate:read", description="Worth of a currency from a moment on (CAT-4).")
class CurrencyRate(Node):
    """Worth of a currency from a moment on."""

    currency: str = column(models.CurrencyRate.currency, "ISO 4217 code.")
    rate: Any = column(models.CurrencyRate.rate, "Worth of one unit in the base currency.")
    valid_from: Any = column(models.CurrencyRate.valid_from, "From when; the latest that has begun holds.")
    source: str = column(models.CurrencyRate.source, "Where it is from.")
    created_at: Any = column(models.CurrencyRate.created_at, "When it was entered.")
    set_by: Any = to_one(
        "schema.access.User", models.CurrencyRate.set_by_user_id, "Who entered it.", requires="user:read"
    )


@strawberry.input(description="Worth of a currency.")
class CurrencyRateSetInput(KeyedInput):
    """Worth of a currency."""

    currency: str = strawberry.field(description="ISO 4217 code; another one than the base currency's.")
    rate: Decimal = strawberry.field(description="Worth of one unit in the base currency, at most 4 decimals.")
    valid_from: DateTime | None = strawberry.field(default=None, description="From when; now unless told.")
    source: str = strawberry.field(description="Where it is from, for example Bank of Russia.")


@plain(requires="", description="A rate that was entered.")
class CurrencyRatePayload(Payload):
    """A rate that was entered."""

    currency_rate: Any = object_value("schema.dashboard.CurrencyRate", "The rate; null on user errors.")
