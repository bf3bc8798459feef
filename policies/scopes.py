"""Row scopes: the only place that filters rows by partner, and the checks of permissions (ACC-3, ACC-4)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVarTuple

from sqlalchemy import Select, Table, false, text

from core.errors import Forbidden
from core.principal import Principal
from models.base import Base
from models.security import SHARED_WITH_TENANTS, TENANT_ROWS
from models.security import scope_column as scope_column

__all__ = ["owner_column", "reachable_by_tenants", "require", "scope_column", "scoped"]

Columns = TypeVarTuple("Columns")
# Rows that are a person's own: whoever lacks the permission sees only the own ones, and by which column they are known.
_OWN_UNLESS: Mapping[str, tuple[str, str]] = MappingProxyType({"api_tokens": ("user_id", "user:read")})


def owner_column(table: Table, principal: Principal) -> str | None:
    """The column by which a member of our staff is held to the own rows of a table; None where nothing holds."""
    column, permission = _OWN_UNLESS.get(table.name, ("", ""))
    return column if column and principal.kind == "staff" and permission not in principal.permissions else None


def reachable_by_tenants(table: Table) -> bool:
    """Whether partners may reach any row of the table."""
    return scope_column(table) is not None or table.name in SHARED_WITH_TENANTS


def scoped(statement: Select[*Columns], model: type[Base], principal: Principal) -> Select[*Columns]:
    """The statement held to the rows of ``model`` that the principal may reach."""
    if principal.kind == "product":
        # Their few doors ask for the product themselves; what is not made for them is out of reach.
        return statement.where(false())
    if not principal.is_tenant:
        return statement
    table = model.__table__
    if not isinstance(table, Table) or not reachable_by_tenants(table):
        return statement.where(false())
    if table.name in TENANT_ROWS:
        statement = statement.where(text(TENANT_ROWS[table.name].format(row=table.name)))
    column = scope_column(table)
    return statement if column is None else statement.where(table.c[column] == principal.partner_id)


def require(principal: Principal, permission: str, on: str) -> None:
    """Make sure that the principal has a permission.

    Raises:
        Forbidden: it has not; names the permission and the coordinate ``on``.
    """
    if permission not in principal.permissions:
        raise Forbidden(permission, on)
