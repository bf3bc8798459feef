"""Products, modules, plans and prices as the API shows them (CAT-1, CAT-2)."""

from __future__ import annotations

from typing import Any

import models
from planner.binding import (
    Money,
    Node,
    any_of,
    bound,
    column,
    equals,
    filter_input,
    money,
    order_input,
    sql,
    to_list,
    to_many,
    to_one,
)
from schema.allowed_actions import plan_allowed_actions, product_allowed_actions

CONFIGURE = "product:configure"

ProductFilter = filter_input(
    "Product",
    {
        "status": any_of(models.Product.status, "Only these states."),
        "kind": any_of(models.Product.kind, "Only these kinds."),
        "code": equals(models.Product.code, "Exactly this code."),
    },
)
ProductOrder = order_input(
    "Product", {"CODE": models.Product.code, "NAME": models.Product.name, "UPDATED_AT": models.Product.updated_at}
)


@bound(models.Product, requires="product:read", description="Something we sell and bill (CAT-1).")
class Product(Node):
    """Something we sell and bill."""

    name: str = column(models.Product.name, "Name that people see.")
    code: str = column(models.Product.code, "Short unique code.")
    kind: Any = column(models.Product.kind, "How the product reaches its users.")
    status: Any = column(models.Product.status, "Whether new installs are accepted.")
    trial_days: int = column(models.Product.trial_days, "Length of the trial, days; 0 for none.")
    wallet_enabled: bool = column(models.Product.wallet_enabled, "Whether installs have a wallet of coins.")
    install_bonus: Any = column(models.Product.install_bonus, "Coins given when an install is activated.")
    bonus_valid_days: Any = column(
        models.Product.bonus_valid_days, "Days after which these coins are lost unless spent; null for never."
    )
    subscriptions_enabled: bool = column(models.Product.subscriptions_enabled, "Whether subscriptions are sold.")
    version: int = column(models.Product.version, "Version to send back with a change.")
    allowed_actions: Any = product_allowed_actions()
    created_at: Any = column(models.Product.created_at, "When the product was registered.")
    updated_at: Any = column(models.Product.updated_at, "When the product was last changed.")
    technical_account_url: Any = column(
        models.Product.technical_account_url, "Link to the technical account.", requires=CONFIGURE
    )
    client_uuid: Any = column(models.Product.client_uuid, "Client UUID at the CRM.", requires=CONFIGURE)
    client_secret_mask: Any = sql(
        "CASE WHEN {row}.client_secret_kept THEN '********' END",
        str | None,
        "text",
        "A mask where a client secret is kept; the secret itself is never read.",
        requires=CONFIGURE,
    )
    project_token_hint: Any = column(
        models.Product.project_token_hint, "Last characters of the project token.", requires=CONFIGURE
    )
    previous_token_until: Any = column(
        models.Product.previous_token_until, "Until when the token before works too.", requires=CONFIGURE
    )
    install_endpoint: Any = column(
        models.Product.install_endpoint, "Where installs are told to, HTTPS.", requires=CONFIGURE
    )
    activate_endpoint: Any = column(
        models.Product.activate_endpoint, "Where activations are told to, HTTPS.", requires=CONFIGURE
    )
    disable_endpoint: Any = column(
        models.Product.disable_endpoint, "Where uninstalls are told to, HTTPS.", requires=CONFIGURE
    )
    plans: Any = to_many("schema.catalog.Plan", models.Plan.product_id, "Tariffs, all versions.", requires="plan:read")
    modules: Any = to_many(
        "schema.catalog.Module", models.Module.product_id, "Parts that plans include or not.", requires="plan:read"
    )
    installs: Any = to_many(
        "schema.installs.Install", models.Install.product_id, "Where the product runs.", requires="install:read"
    )


ModuleFilter = filter_input(
    "Module",
    {
        "product_id": equals(models.Module.product_id, "Only of this product.", id_of="Product"),
        "active": equals(models.Module.active, "Only those on offer, or only withdrawn ones."),
    },
)
ModuleOrder = order_input("Module", {"CODE": models.Module.code})


@bound(models.Module, requires="plan:read", description="A part of a product that plans include or not (CAT-1).")
class Module(Node):
    """A part of a product."""

    code: str = column(models.Module.code, "What the product knows it by.")
    name: str = column(models.Module.name, "Name that people see.")
    active: bool = column(models.Module.active, "Whether new plans may include it.")
    version: int = column(models.Module.version, "Version to send back with a change.")
    created_at: Any = column(models.Module.created_at, "When it was made.")
    updated_at: Any = column(models.Module.updated_at, "When it was last changed.")
    product: Any = to_one("schema.catalog.Product", models.Module.product_id, "The product.", requires="product:read")
    plan_modules: Any = to_many(
        "schema.catalog.PlanModule", models.PlanModule.module_id, "Versions of plans that include it."
    )


PlanModuleFilter = filter_input(
    "PlanModule",
    {
        "plan_id": equals(models.PlanModule.plan_id, "Only of this plan.", id_of="Plan"),
        "module_id": equals(models.PlanModule.module_id, "Only of this module.", id_of="Module"),
    },
)
PlanModuleOrder = order_input("PlanModule")


@bound(models.PlanModule, requires="plan:read", description="That a version of a plan includes a module (CAT-2).")
class PlanModule(Node):
    """That a version of a plan includes a module."""

    created_at: Any = column(models.PlanModule.created_at, "Since when.")
    plan: Any = to_one("schema.catalog.Plan", models.PlanModule.plan_id, "The version of the plan.")
    module: Any = to_one("schema.catalog.Module", models.PlanModule.module_id, "The module.")


PlanFilter = filter_input(
    "Plan",
    {
        "product_id": equals(models.Plan.product_id, "Only of this product.", id_of="Product"),
        "name": equals(models.Plan.name, "Exactly this tier."),
        "currency": equals(models.Plan.currency, "Only in this currency."),
        "active": equals(models.Plan.active, "Only plans on sale, or only withdrawn ones."),
    },
)
PlanOrder = order_input("Plan")


@bound(models.Plan, requires="plan:read", description="One version of a tariff of a product (CAT-2).")
class Plan(Node):
    """One version of a tariff."""

    name: str = column(models.Plan.name, "Tier, for example Basic.")
    currency: str = column(models.Plan.currency, "ISO 4217 code of its prices.")
    version: int = column(models.Plan.version, "Number of the version, from 1; a sold version never changes.")
    active: bool = column(models.Plan.active, "Whether it is on sale.")
    pricing_model: Any = column(models.Plan.pricing_model, "What the price is multiplied by.")
    min_seats: int = column(models.Plan.min_seats, "Fewest seats that are sold.")
    grace_days: int = column(models.Plan.grace_days, "Days of access kept after an unpaid end.")
    most_users: Any = column(models.Plan.most_users, "Most users; null for no limit.")
    most_departments: Any = column(models.Plan.most_departments, "Most departments; null for no limit.")
    most_integrations: Any = column(models.Plan.most_integrations, "Most integrations; null for no limit.")
    api_requests_per_minute: Any = column(
        models.Plan.api_requests_per_minute, "Most requests a minute to the product's API; null for no limit."
    )
    allowed_actions: Any = plan_allowed_actions()
    created_at: Any = column(models.Plan.created_at, "When the version was made.")
    updated_at: Any = column(models.Plan.updated_at, "When the version was last changed.")
    product: Any = to_one(
        "schema.catalog.Product", models.Plan.product_id, "The product sold.", requires="product:read"
    )
    prices: Any = to_list(
        "schema.catalog.PlanPrice",
        models.PlanPrice.plan_id,
        "Prices, one a term.",
        order=models.PlanPrice.id,
    )
    plan_modules: Any = to_list(
        "schema.catalog.PlanModule", models.PlanModule.plan_id, "Modules included.", order=models.PlanModule.module_id
    )
    subscriptions: Any = to_many(
        "schema.billing.Subscription",
        models.Subscription.plan_id,
        "Subscriptions to this version.",
        requires="subscription:read",
    )


PlanPriceFilter = filter_input(
    "PlanPrice",
    {
        "plan_id": equals(models.PlanPrice.plan_id, "Only of this plan.", id_of="Plan"),
        "term": any_of(models.PlanPrice.term, "Only of these terms."),
    },
)
PlanPriceOrder = order_input("PlanPrice")


@bound(models.PlanPrice, requires="plan:read", description="Price of a plan for one term (CAT-2).")
class PlanPrice(Node):
    """Price of a plan for one term."""

    term: Any = column(models.PlanPrice.term, "Length of the period.")
    unit_price: Money = money(
        models.PlanPrice.unit_price, models.PlanPrice.currency, "Price of one unit for one month of the term."
    )
    created_at: Any = column(models.PlanPrice.created_at, "When the price was made.")
    plan: Any = to_one("schema.catalog.Plan", models.PlanPrice.plan_id, "The plan.")
