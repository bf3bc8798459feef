"""Packages of coins: make, change and withdraw them (CAT-3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypedDict

from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import Principal
from domain import fields
from models import CoinPackage, Product
from services import audit
from services.changes import apply, next_version
from services.loading import load


class PackageValues(TypedDict, total=False):
    """What may be said of a package; what is left out stays as it is."""

    name: str
    coins: Decimal
    price: Decimal
    active: bool


async def create(
    session: AsyncSession, actor: Principal, *, product_id: int | None, currency: str, values: PackageValues
) -> CoinPackage:
    """Put a package on sale, for one product or for all.

    Raises:
        NotFound: there is no such product.
        UserError: a value is not fit for its field.
    """
    if product_id is not None:
        await load(session, actor, Product, product_id, field="productId")
    package = CoinPackage(product_id=product_id, currency=fields.currency(currency, "currency"), **_checked(values))
    session.add(package)
    await audit.record(session, actor, "coin_package.create", package, before=None, after=dict(values))
    return package


async def change(
    session: AsyncSession, actor: Principal, *, package_id: int, version: int, values: PackageValues
) -> CoinPackage:
    """Change or withdraw a package; invoices that were issued keep their coins and price.

    Raises:
        NotFound: there is no such package.
        Conflict: somebody changed it in between.
        UserError: a value is not fit for its field.
    """
    package = await load(session, actor, CoinPackage, package_id, lock=True, references=True)
    next_version(package, version)
    before, after = apply(package, _checked(values))
    await audit.record(session, actor, "coin_package.update", package, before=before, after=after)
    return package


def _checked(values: PackageValues) -> dict[str, Any]:
    checked: dict[str, Any] = dict(values)
    if "name" in checked:
        checked["name"] = fields.line(checked["name"], "name")
    for name, places in (("coins", fields.COIN_PLACES), ("price", fields.MINOR_PLACES)):
        if name in checked:
            checked[name] = fields.amount(checked[name], name, places=places)
            if not checked[name]:
                raise fields.InvalidAmount(f"{name} must be more than nothing", field=fields.path(name))
    return checked
