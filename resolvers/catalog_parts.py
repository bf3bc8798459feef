"""Doors to modules, and to deleting what was never used (CAT-1)."""

from __future__ import annotations

from typing import Any, cast

import strawberry

from resolvers.inputs import given, key_of
from resolvers.mutation import MutationContext, mutation
from schema.catalog_inputs import ProductArchiveInput, ProductPayload
from schema.catalog_parts import (
    DeletedPayload,
    ModuleCreateInput,
    ModulePayload,
    ModuleUpdateInput,
    PlanDeleteInput,
    UnusedDeleteInput,
)
from services.catalog import deleting, modules, products


async def module_create(context: MutationContext, input: ModuleCreateInput) -> dict[str, Any]:
    """Give a product a module, a part that plans include or not (CAT-1)."""
    product_id = key_of(input.product_id, "Product", "productId")
    module = await modules.create(
        context.session, context.actor, product_id=product_id, code=input.code, name=input.name
    )
    return {"module": module.id}


async def module_update(context: MutationContext, input: ModuleUpdateInput) -> dict[str, Any]:
    """Rename a module, or withdraw it from new plans (CAT-1)."""
    module = await modules.change(
        context.session,
        context.actor,
        module_id=key_of(input.id, "Module", "id"),
        version=input.version,
        values=cast(modules.ModuleValues, given(input, nullable=frozenset())),
    )
    return {"module": module.id}


async def module_delete(context: MutationContext, input: UnusedDeleteInput) -> dict[str, Any]:
    """Delete a module that no plan includes (CAT-1)."""
    key = key_of(input.id, "Module", "id")
    await deleting.delete_module(context.session, context.actor, module_id=key, version=input.version)
    return {"deleted_id": input.id}


async def product_restore(context: MutationContext, input: ProductArchiveInput) -> dict[str, Any]:
    """Accept new installs of an archived product again (CAT-1)."""
    product = await products.restore(
        context.session, context.actor, product_id=key_of(input.id, "Product", "id"), version=input.version
    )
    return {"product": product.id}


async def product_delete(context: MutationContext, input: UnusedDeleteInput) -> dict[str, Any]:
    """Delete a product that was never installed, with unsold plans, modules and packages; else archive it (CAT-1)."""
    key = key_of(input.id, "Product", "id")
    await deleting.delete_product(context.session, context.actor, product_id=key, version=input.version)
    return {"deleted_id": input.id}


async def plan_delete(context: MutationContext, input: PlanDeleteInput) -> dict[str, Any]:
    """Delete a version of a plan that nobody bought (CAT-2)."""
    await deleting.delete_plan(context.session, context.actor, plan_id=key_of(input.id, "Plan", "id"))
    return {"deleted_id": input.id}


async def coin_package_delete(context: MutationContext, input: UnusedDeleteInput) -> dict[str, Any]:
    """Delete a package of coins that nobody bought (CAT-3)."""
    key = key_of(input.id, "CoinPackage", "id")
    await deleting.delete_package(context.session, context.actor, package_id=key, version=input.version)
    return {"deleted_id": input.id}


@strawberry.type(description="Mutations of modules, and of what was never used.")
class CatalogPartMutations:
    """Mutations of modules, and of what was never used."""

    module_create: Any = mutation(module_create, ModulePayload, requires="product:write")
    module_update: Any = mutation(module_update, ModulePayload, requires="product:write")
    module_delete: Any = mutation(module_delete, DeletedPayload, requires="product:write")
    product_restore: Any = mutation(product_restore, ProductPayload, requires="product:write")
    product_delete: Any = mutation(product_delete, DeletedPayload, requires="product:write")
    plan_delete: Any = mutation(plan_delete, DeletedPayload, requires="plan:write")
    coin_package_delete: Any = mutation(coin_package_delete, DeletedPayload, requires="coin_package:write")
