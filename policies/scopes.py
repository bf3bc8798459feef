"""Row scopes: the only place that filters rows by partner, and the checks of permissions (ACC-3, ACC-4)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Table, false

from core.errors import Forbidden
from core.principal import Principal
from models.base import Base
from models.security import SHARED_WITH_TENANTS
from models.security import scope_column as scope_column

__all__ = ["reachable_by_tenants", "require", "scope_column", "scoped"]


def reachable_by_tenants(table: Table) -> bool:
    """Whether partners may reach any row of the table."""
    return scope_column(table) is not None or table.name in SHARED_WITH_TENANTS


def scoped(statement: Select[Any], model: type[Base], principal: Principal) -> Select[Any]:
    """The statement held to the rows of ``model`` that the principal may reach."""
    if principal.kind == "product":
        # Their few doors ask for the product themselves; what is not made for them is out of reach.
        return statement.where(false())
    if not principal.is_tenant:
        return statement
    table = model.__table__
    if not isinstance(table, Table) or not reachable_by_tenants(table):
        return statement.where(false())
    column = scope_column(table)
    return statement if column is None else statement.where(table.c[column] == principal.partner_id)


def require(principal: Principal, permission: str, on: str) -> None:
    """Make sure that the principal has a permission.

    Raises:
        Forbidden: it has not; names the permission and the coordinate ``on``.
    """
    if permission not in principal.permissions:
        raise Forbidden(permission, on)
