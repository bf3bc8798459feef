"""Doors to products and plans (CAT-1, CAT-2)."""

from __future__ import annotations

from typing import Any, cast

import strawberry

from resolvers.inputs import given, key_of, optional_key
from resolvers.mutation import MutationContext, ShownOnce, mutation
from schema.catalog_inputs import (
    CoinPackageCreateInput,
    CoinPackagePayload,
    CoinPackageUpdateInput,
    PlanCreateInput,
    PlanPayload,
    PlanUpdateInput,
    ProductArchiveInput,
    ProductCreateInput,
    ProductPayload,
    ProductRevealSecretInput,
    ProductRevealSecretPayload,
    ProductRotateProjectTokenInput,
    ProductSecretsPayload,
    ProductUpdateInput,
)
from services.catalog import packages, plans, products, secrets

_PRODUCT_NULLS = frozenset(
    {
        "technical_account_url",
        "bonus_valid_days",
        "client_uuid",
        "client_secret",
        "install_endpoint",
        "activate_endpoint",
        "disable_endpoint",
    }
)
_PLAN_NULLS = frozenset(plans.LIMITS)


async def product_create(context: MutationContext, input: ProductCreateInput) -> dict[str, Any]:
    """Register a product; its project token and signing secret are shown this once (CAT-1)."""
    values = cast(products.ProductValues, given(input, nullable=_PRODUCT_NULLS))
    return _with_secrets(await products.create(context.session, context.actor, values=values))


async def product_update(context: MutationContext, input: ProductUpdateInput) -> dict[str, Any]:
    """Change a product; a change of somebody else in between is a conflict (CAT-1)."""
    product = await products.change(
        context.session,
        context.actor,
        product_id=key_of(input.id, "Product", "id"),
        version=input.version,
        values=cast(products.ProductValues, given(input, nullable=_PRODUCT_NULLS)),
    )
    return {"product": product.id}


async def product_archive(context: MutationContext, input: ProductArchiveInput) -> dict[str, Any]:
    """Accept no new installs of a product; the ones it has go on (CAT-1)."""
    product = await products.archive(
        context.session, context.actor, product_id=key_of(input.id, "Product", "id"), version=input.version
    )
    return {"product": product.id}


async def product_rotate_project_token(
    context: MutationContext, input: ProductRotateProjectTokenInput
) -> dict[str, Any]:
    """Replace a product's project token and signing secret, shown this once; the old token works for an overlap."""
    product_id = key_of(input.id, "Product", "id")
    return _with_secrets(
        await products.rotate_project_token(
            context.session, context.actor, product_id=product_id, overlap_hours=input.overlap_hours
        )
    )


async def plan_create(context: MutationContext, input: PlanCreateInput) -> dict[str, Any]:
    """Make the first version of a plan (CAT-2)."""
    values = given(input, nullable=_PLAN_NULLS)
    plan = await plans.create(
        context.session,
        context.actor,
        product_id=key_of(values.pop("product_id"), "Product", "productId"),
        name=values.pop("name"),
        currency=values.pop("currency"),
        values=_plan_values(values),
    )
    return {"plan": plan.id}


async def plan_update(context: MutationContext, input: PlanUpdateInput) -> dict[str, Any]:
    """Change a plan; a version that was sold stays as it is and the next version takes its place (CAT-2)."""
    plan = await plans.change(
        context.session,
        context.actor,
        plan_id=key_of(input.id, "Plan", "id"),
        values=_plan_values(given(input, nullable=_PLAN_NULLS)),
    )
    return {"plan": plan.id}


async def coin_package_create(context: MutationContext, input: CoinPackageCreateInput) -> dict[str, Any]:
    """Put a package of coins on sale (CAT-3)."""
    values = given(input, nullable=frozenset({"product_id"}))
    package = await packages.create(
        context.session,
        context.actor,
        product_id=optional_key(values.pop("product_id"), "Product", "productId"),
        currency=values.pop("currency"),
        values=cast(packages.PackageValues, values),
    )
    return {"coin_package": package.id}


async def coin_package_update(context: MutationContext, input: CoinPackageUpdateInput) -> dict[str, Any]:
    """Change a package of coins, or withdraw it from sale (CAT-3)."""
    package = await packages.change(
        context.session,
        context.actor,
        package_id=key_of(input.id, "CoinPackage", "id"),
        version=input.version,
        values=cast(packages.PackageValues, given(input, nullable=frozenset())),
    )
    return {"coin_package": package.id}


async def product_reveal_secret(context: MutationContext, input: ProductRevealSecretInput) -> dict[str, Any]:
    """Read a secret of a product, which stands in the audit trail with the reason; tokens are rotated (ACC-3)."""
    product, secret = await secrets.reveal(
        context.session,
        context.actor,
        product_id=key_of(input.id, "Product", "id"),
        secret=input.secret,
        reason=input.reason,
    )
    return {"product": product.id, "secret": ShownOnce(secret)}


def _plan_values(values: dict[str, Any]) -> plans.PlanValues:
    if "module_ids" in values:
        values["module_ids"] = [key_of(one, "Module", "moduleIds") for one in values["module_ids"]]
    if "prices" in values:
        values["prices"] = [plans.Price(price.term, price.unit_price) for price in values["prices"]]
    return cast(plans.PlanValues, values)


def _with_secrets(made: products.NewProduct) -> dict[str, Any]:
    return {
        "product": made.product.id,
        "project_token": ShownOnce(made.project_token),
        "event_secret": ShownOnce(made.event_secret),
    }


@strawberry.type(description="Mutations of products and plans.")
class CatalogMutations:
    """Mutations of products and plans."""

    product_create: Any = mutation(product_create, ProductSecretsPayload, requires="product:write")
    product_update: Any = mutation(product_update, ProductPayload, requires="product:write")
    product_archive: Any = mutation(product_archive, ProductPayload, requires="product:write")
    product_rotate_project_token: Any = mutation(
        product_rotate_project_token, ProductSecretsPayload, requires="product:secret"
    )
    product_reveal_secret: Any = mutation(product_reveal_secret, ProductRevealSecretPayload, requires="product:secret")
    plan_create: Any = mutation(plan_create, PlanPayload, requires="plan:write")
    plan_update: Any = mutation(plan_update, PlanPayload, requires="plan:write")
    coin_package_create: Any = mutation(coin_package_create, CoinPackagePayload, requires="coin_package:write")
    coin_package_update: Any = mutation(coin_package_update, CoinPackagePayload, requires="coin_package:write")
