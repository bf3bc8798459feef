"""Modules: parts of a product that plans include or not (CAT-1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.principal import Principal
from domain import fields
from models import Module, Product
from services import audit
from services.changes import apply, next_version, unique
from services.loading import load


class ModuleValues(TypedDict, total=False):
    """What may be said of a module; what is left out stays as it is."""

    name: str
    active: bool


async def create(session: AsyncSession, actor: Principal, *, product_id: int, code: str, name: str) -> Module:
    """Give a product a module.

    Raises:
        NotFound: there is no such product.
        UserError: the code or the name is not fit, or the code is taken.
    """
    product = await load(session, actor, Product, product_id, field="productId")
    module = Module(product_id=product.id, code=fields.code(code, "code"), name=fields.line(name, "name"))
    async with unique(session, "uq_modules_product_id", "the product has a module of this code", "code"):
        session.add(module)
    told = {"code": module.code, "name": module.name, "product_id": product.id}
    await audit.record(session, actor, "module.create", module, before=None, after=told)
    return module


async def change(
    session: AsyncSession, actor: Principal, *, module_id: int, version: int, values: ModuleValues
) -> Module:
    """Rename a module, or withdraw it from new plans; its code stays, and so do the plans that include it.

    Raises:
        NotFound: there is no such module.
        Conflict: somebody changed it in between.
        UserError: the name is not fit.
    """
    module = await load(session, actor, Module, module_id, lock=True, references=True)
    next_version(module, version)
    checked = dict(values)
    if "name" in values:
        checked["name"] = fields.line(values["name"], "name")
    before, after = apply(module, checked)
    await audit.record(session, actor, "module.update", module, before=before, after=after)
    return module


async def included(
    session: AsyncSession, product_id: int, module_ids: Sequence[int], *, had: Sequence[int] = ()
) -> list[int]:
    """The keys of modules that a plan of the product may include, each once and kept from being deleted meanwhile.

    Parameters:
        had: modules of the plan as it is, which it keeps though they were withdrawn.

    Raises:
        NotFound: one is not a module of the product, or was withdrawn.
    """
    wanted = sorted(set(module_ids))
    own = select(Module.id).where(Module.product_id == product_id, Module.id.in_(wanted))
    offered = own.where(Module.active | Module.id.in_(had))
    found = list(await session.scalars(offered.order_by(Module.id).with_for_update(read=True, key_share=True)))
    if found != wanted:
        raise NotFound.of("Module", field=fields.path("moduleIds"))
    return found
