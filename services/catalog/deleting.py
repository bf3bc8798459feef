"""Deletes what was set up and never used; the database itself says what is used (CAT-1)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict
from core.principal import Principal
from domain import fields
from models import (
    Base,
    CoinPackage,
    EventCircuit,
    Module,
    OnboardingStep,
    Plan,
    PlanModule,
    PlanPrice,
    Product,
    WidgetTokenUse,
)
from services import audit
from services.changes import next_version
from services.loading import load

_Part = tuple[type[Base], ColumnElement[bool]]


class InUse(Conflict):
    """Something refers to it; it can be archived or withdrawn from sale instead."""

    code = "IN_USE"


async def delete_product(session: AsyncSession, actor: Principal, *, product_id: int, version: int) -> None:
    """Delete a product that was never installed, with the plans, modules and packages that nobody bought.

    Raises:
        NotFound: there is no such product.
        Conflict: somebody changed it in between.
        InUse: it is or was installed, sold, or told of.
    """
    product = await load(session, actor, Product, product_id, lock=True, references=True)
    next_version(product, version)
    own = Plan.product_id == product.id
    parts: list[_Part] = [
        *_parts_of_plans(own),
        (Plan, own),
        (Module, Module.product_id == product.id),
        (CoinPackage, CoinPackage.product_id == product.id),
        (OnboardingStep, OnboardingStep.product_id == product.id),
        (EventCircuit, EventCircuit.product_id == product.id),
        (WidgetTokenUse, WidgetTokenUse.product_id == product.id),
        (Product, Product.id == product.id),
    ]
    await _delete(session, actor, product, {"code": product.code}, parts, "archive it instead")


async def delete_plan(session: AsyncSession, actor: Principal, *, plan_id: int) -> None:
    """Delete a version of a plan that nobody bought.

    Raises:
        NotFound: there is no such plan.
        InUse: it was sold.
    """
    plan = await load(session, actor, Plan, plan_id, lock=True, references=True)
    own = Plan.id == plan.id
    told = {"name": plan.name, "version": plan.version}
    await _delete(session, actor, plan, told, [*_parts_of_plans(own), (Plan, own)], "withdraw it from sale instead")


async def delete_module(session: AsyncSession, actor: Principal, *, module_id: int, version: int) -> None:
    """Delete a module that no plan includes.

    Raises:
        NotFound: there is no such module.
        Conflict: somebody changed it in between.
        InUse: a version of a plan includes it.
    """
    module = await load(session, actor, Module, module_id, lock=True, references=True)
    next_version(module, version)
    parts = [(Module, Module.id == module.id)]
    await _delete(session, actor, module, {"code": module.code}, parts, "withdraw it instead")


async def delete_package(session: AsyncSession, actor: Principal, *, package_id: int, version: int) -> None:
    """Delete a package of coins that nobody bought and no wallet buys by itself.

    Raises:
        NotFound: there is no such package.
        Conflict: somebody changed it in between.
        InUse: an invoice or an automatic top-up names it.
    """
    package = await load(session, actor, CoinPackage, package_id, lock=True, references=True)
    next_version(package, version)
    parts = [(CoinPackage, CoinPackage.id == package.id)]
    await _delete(session, actor, package, {"name": package.name}, parts, "withdraw it from sale instead")


def _parts_of_plans(which: ColumnElement[bool]) -> list[_Part]:
    plan_ids = select(Plan.id).where(which)
    return [(PlanPrice, PlanPrice.plan_id.in_(plan_ids)), (PlanModule, PlanModule.plan_id.in_(plan_ids))]


async def _delete(
    session: AsyncSession,
    actor: Principal,
    row: Base,
    told: dict[str, object],
    parts: Sequence[_Part],
    instead: str,
) -> None:
    kind = type(row).__name__
    await audit.record(session, actor, f"{_snake(kind)}.delete", row, before=told, after=None)
    try:
        async with session.begin_nested():
            for model, which in parts:
                await session.execute(delete(model).where(which).execution_options(synchronize_session=False))
    except IntegrityError:
        raise InUse(f"it is used; {instead}", field=fields.path("id")) from None
    session.expunge(row)


def _snake(kind: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind).lstrip("_")
