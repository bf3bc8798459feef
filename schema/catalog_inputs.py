"""What products and plans are made and changed with (CAT-1, CAT-2)."""

from __future__ import annotations

import uuid
from typing import Any

import strawberry

from domain.catalog import PricingModel, ProductKind, ProductSecret, Term
from planner.binding import graphql_enum, object_value, plain, value
from planner.scalars import Decimal
from schema.payload import KeyedInput, Payload

for _enum in (PricingModel, ProductKind, ProductSecret, Term):
    graphql_enum(_enum)


@strawberry.input(description="A new product.")
class ProductCreateInput(KeyedInput):
    """A new product."""

    name: str = strawberry.field(description="Name that people see.")
    code: str = strawberry.field(description="Short unique code: lower-case letters, digits, hyphens.")
    kind: ProductKind = strawberry.field(description="How the product reaches its users.")
    technical_account_url: str | None = strawberry.field(
        default=strawberry.UNSET, description="Link to the technical account, HTTPS."
    )
    client_uuid: uuid.UUID | None = strawberry.field(default=strawberry.UNSET, description="Client UUID at the CRM.")
    client_secret: str | None = strawberry.field(
        default=strawberry.UNSET, description="Client secret at the CRM; kept encrypted, never read back."
    )
    trial_days: int | None = strawberry.field(
        default=strawberry.UNSET, description="Length of the trial, days, 0 to 365; 14 unless told."
    )
    wallet_enabled: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether installs have a wallet of coins; true unless told."
    )
    install_bonus: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="Coins given when an install is activated; 1000 unless told."
    )
    bonus_valid_days: int | None = strawberry.field(
        default=strawberry.UNSET, description="Days after which these coins are lost unless spent; null for never."
    )
    subscriptions_enabled: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether subscriptions are sold; true unless told."
    )
    install_endpoint: str | None = strawberry.field(
        default=strawberry.UNSET, description="Where installs are told to: HTTPS, a public address."
    )
    activate_endpoint: str | None = strawberry.field(
        default=strawberry.UNSET, description="Where activations are told to: HTTPS, a public address."
    )
    disable_endpoint: str | None = strawberry.field(
        default=strawberry.UNSET, description="Where uninstalls are told to: HTTPS, a public address."
    )


@strawberry.input(description="Changes of a product; what is left out stays as it is.")
class ProductUpdateInput(KeyedInput):
    """Changes of a product."""

    id: strawberry.ID = strawberry.field(description="The product.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Name that people see.")
    technical_account_url: str | None = strawberry.field(
        default=strawberry.UNSET, description="Link to the technical account, HTTPS."
    )
    client_uuid: uuid.UUID | None = strawberry.field(default=strawberry.UNSET, description="Client UUID at the CRM.")
    client_secret: str | None = strawberry.field(
        default=strawberry.UNSET, description="Client secret at the CRM; kept encrypted, never read back."
    )
    trial_days: int | None = strawberry.field(
        default=strawberry.UNSET, description="Length of the trial, days, 0 to 365."
    )
    wallet_enabled: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether installs have a wallet of coins."
    )
    install_bonus: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="Coins given when an install is activated."
    )
    bonus_valid_days: int | None = strawberry.field(
        default=strawberry.UNSET, description="Days after which these coins are lost unless spent; null for never."
    )
    subscriptions_enabled: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether subscriptions are sold."
    )
    install_endpoint: str | None = strawberry.field(
        default=strawberry.UNSET, description="Where installs are told to: HTTPS, a public address."
    )
    activate_endpoint: str | None = strawberry.field(
        default=strawberry.UNSET, description="Where activations are told to: HTTPS, a public address."
    )
    disable_endpoint: str | None = strawberry.field(
        default=strawberry.UNSET, description="Where uninstalls are told to: HTTPS, a public address."
    )


@strawberry.input(description="A product to archive.")
class ProductArchiveInput(KeyedInput):
    """A product to archive."""

    id: strawberry.ID = strawberry.field(description="The product.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")


@strawberry.input(description="A product whose project token and signing secret are replaced.")
class ProductRotateProjectTokenInput(KeyedInput):
    """A product whose project token and signing secret are replaced."""

    id: strawberry.ID = strawberry.field(description="The product.")
    overlap_hours: int = strawberry.field(
        default=24, description="How long the old project token works on, hours, 0 to 168; 0 where it has leaked."
    )


@strawberry.input(description="Price of one unit for one month of a term.")
class PlanPriceInput:
    """Price of one unit for one month of a term."""

    term: Term = strawberry.field(description="Length of the period.")
    unit_price: Decimal = strawberry.field(description="Price in the plan's currency, at most 2 decimals.")


@strawberry.input(description="A new plan of a product.")
class PlanCreateInput(KeyedInput):
    """A new plan of a product."""

    product_id: strawberry.ID = strawberry.field(description="The product.")
    name: str = strawberry.field(description="Tier, for example Basic.")
    currency: str = strawberry.field(default="RUB", description="ISO 4217 code of the prices.")
    prices: list[PlanPriceInput] = strawberry.field(description="Prices, one a term.")
    pricing_model: PricingModel | None = strawberry.field(
        default=strawberry.UNSET, description="What the price is multiplied by; PER_SEAT unless told."
    )
    min_seats: int | None = strawberry.field(
        default=strawberry.UNSET, description="Fewest seats that are sold; 1 unless told."
    )
    grace_days: int | None = strawberry.field(
        default=strawberry.UNSET, description="Days of access kept after an unpaid end; 3 unless told."
    )
    active: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether it is on sale; true unless told."
    )
    module_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="All modules that it includes."
    )
    most_users: int | None = strawberry.field(default=strawberry.UNSET, description="Most users; null for no limit.")
    most_departments: int | None = strawberry.field(
        default=strawberry.UNSET, description="Most departments; null for no limit."
    )
    most_integrations: int | None = strawberry.field(
        default=strawberry.UNSET, description="Most integrations; null for no limit."
    )
    api_requests_per_minute: int | None = strawberry.field(
        default=strawberry.UNSET, description="Most requests a minute to the product's API; null for no limit."
    )


@strawberry.input(description="Changes of a plan; a version that was sold stays, and the next one is made.")
class PlanUpdateInput(KeyedInput):
    """Changes of a plan."""

    id: strawberry.ID = strawberry.field(description="The latest version of the plan.")
    prices: list[PlanPriceInput] | None = strawberry.field(default=strawberry.UNSET, description="All of its prices.")
    pricing_model: PricingModel | None = strawberry.field(
        default=strawberry.UNSET, description="What the price is multiplied by."
    )
    min_seats: int | None = strawberry.field(default=strawberry.UNSET, description="Fewest seats that are sold.")
    grace_days: int | None = strawberry.field(
        default=strawberry.UNSET, description="Days of access kept after an unpaid end."
    )
    active: bool | None = strawberry.field(default=strawberry.UNSET, description="Whether it is on sale.")
    module_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="All modules that it includes."
    )
    most_users: int | None = strawberry.field(default=strawberry.UNSET, description="Most users; null for no limit.")
    most_departments: int | None = strawberry.field(
        default=strawberry.UNSET, description="Most departments; null for no limit."
    )
    most_integrations: int | None = strawberry.field(
        default=strawberry.UNSET, description="Most integrations; null for no limit."
    )
    api_requests_per_minute: int | None = strawberry.field(
        default=strawberry.UNSET, description="Most requests a minute to the product's API; null for no limit."
    )


@strawberry.input(description="A new package of coins.")
class CoinPackageCreateInput(KeyedInput):
    """A new package of coins."""

    product_id: strawberry.ID | None = strawberry.field(
        default=None, description="The product whose installs may buy it; null for all products."
    )
    name: str = strawberry.field(description="Name that people see.")
    coins: Decimal = strawberry.field(description="Coins in it, at most 3 decimals.")
    price: Decimal = strawberry.field(description="Price, VAT included, at most 2 decimals.")
    currency: str = strawberry.field(default="RUB", description="ISO 4217 code of the price.")


@strawberry.input(description="Changes of a package; what is left out stays. Issued invoices keep coins and price.")
class CoinPackageUpdateInput(KeyedInput):
    """Changes of a package."""

    id: strawberry.ID = strawberry.field(description="The package.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Name that people see.")
    coins: Decimal | None = strawberry.field(default=strawberry.UNSET, description="Coins in it.")
    price: Decimal | None = strawberry.field(default=strawberry.UNSET, description="Price, VAT included.")
    active: bool | None = strawberry.field(default=strawberry.UNSET, description="Whether it is on sale.")


@plain(requires="", description="A package of coins after the change.")
class CoinPackagePayload(Payload):
    """A package of coins after the change."""

    coin_package: Any = object_value("schema.coin_packages.CoinPackage", "The package; null on user errors.")


@plain(requires="", description="A product after the change.")
class ProductPayload(Payload):
    """A product after the change."""

    product: Any = object_value("schema.catalog.Product", "The product; null where there are user errors.")


@plain(requires="", description="A product with the secrets that are shown this once.")
class ProductSecretsPayload(ProductPayload):
    """A product with the secrets that are shown this once."""

    project_token: str | None = value("Token of the product's back end; shown this once, null when repeated.")
    event_secret: str | None = value(
        "Secret that signs events (Standard Webhooks); shown this once, null when repeated."
    )


@strawberry.input(description="A secret of a product that somebody has to know.")
class ProductRevealSecretInput(KeyedInput):
    """A secret of a product that somebody has to know."""

    id: strawberry.ID = strawberry.field(description="The product.")
    secret: ProductSecret = strawberry.field(
        description="The client secret at the CRM, or the newest secret that signs events."
    )
    reason: str = strawberry.field(description="Why, for the audit trail.")


@plain(requires="", description="A secret that was revealed.")
class ProductRevealSecretPayload(ProductPayload):
    """A secret that was revealed."""

    secret: str | None = value("The secret; null when repeated, and where there are user errors.")


@plain(requires="", description="A plan after the change.")
class PlanPayload(Payload):
    """A plan after the change."""

    plan: Any = object_value("schema.catalog.Plan", "The plan, or its next version; null where there are user errors.")
