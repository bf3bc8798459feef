"""Inputs and payloads of modules, and of deleting what was never used (CAT-1)."""

from __future__ import annotations

from typing import Any

import strawberry

from planner.binding import object_value, plain, value
from schema.payload import KeyedInput, Payload


@strawberry.input(description="A new module of a product.")
class ModuleCreateInput(KeyedInput):
    """A new module of a product."""

    product_id: strawberry.ID = strawberry.field(description="The product.")
    code: str = strawberry.field(description="What the product knows it by: lower-case letters, digits, hyphens.")
    name: str = strawberry.field(description="Name that people see.")


@strawberry.input(description="Changes of a module; what is left out stays. Plans that include it keep it.")
class ModuleUpdateInput(KeyedInput):
    """Changes of a module."""

    id: strawberry.ID = strawberry.field(description="The module.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Name that people see.")
    active: bool | None = strawberry.field(default=strawberry.UNSET, description="Whether new plans may include it.")


@strawberry.input(description="Something that was set up and never used, to be deleted.")
class UnusedDeleteInput(KeyedInput):
    """Something that was set up and never used, to be deleted."""

    id: strawberry.ID = strawberry.field(description="What is to be deleted.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")


@strawberry.input(description="A version of a plan that nobody bought, to be deleted.")
class PlanDeleteInput(KeyedInput):
    """A version of a plan that nobody bought, to be deleted."""

    id: strawberry.ID = strawberry.field(description="The version of the plan.")


@plain(requires="", description="A module after the change.")
class ModulePayload(Payload):
    """A module after the change."""

    module: Any = object_value("schema.catalog.Module", "The module; null where there are user errors.")


@plain(requires="", description="What was deleted.")
class DeletedPayload(Payload):
    """What was deleted."""

    deleted_id: strawberry.ID | None = value("Global id of what is gone; null where there are user errors.")
