"""Row scopes: the only place that filters rows by partner, and the checks of permissions (ACC-3, ACC-4, ACC-5)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVarTuple

from sqlalchemy import Select, Table, TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Forbidden
from core.principal import ALL_ROWS, Principal
from models.base import Base
from models.reach import GRANTEE_OWN, SHARED_WITH_TENANTS, partner_predicate
from models.reach import scope_column as scope_column

__all__ = [
    "NO_PARTNER",
    "beyond_partners",
    "condition",
    "owner_column",
    "partner_held_to",
    "reach",
    "reachable_by_tenants",
    "require",
    "require_all_rows",
    "require_staff",
    "scope_column",
    "scoped",
]

Columns = TypeVarTuple("Columns")
# No partner has this number.
NO_PARTNER = 0
# Rows that are a person's own: whoever lacks the permission sees only the own ones, and by which column they are known.
_OWN_UNLESS: Mapping[str, tuple[str, str]] = MappingProxyType({"api_tokens": ("user_id", "user:read")})


def owner_column(table: Table, principal: Principal) -> str | None:
    """The column by which a member of our staff is held to the own rows of a table; None where nothing holds."""
    column, permission = _OWN_UNLESS.get(table.name, ("", ""))
    return column if column and principal.kind == "staff" and permission not in principal.permissions else None


def reachable_by_tenants(table: Table) -> bool:
    """Whether those who are held to one partner may reach any row of the table."""
    return partner_predicate(table, "", "") is not None or table.name in SHARED_WITH_TENANTS


def beyond_partners(model: type[Base]) -> bool:
    """Whether no row of the model's table is any partner's, nor shared with them."""
    return isinstance(model.__table__, Table) and not reachable_by_tenants(model.__table__)


def reach(table: Table, row: str, principal: Principal, *, partner: str, me: str) -> str | None:
    """SQL that a row is within the principal's reach; None where every row is.

    Parameters:
        row: alias of the row.
        partner: SQL of the one partner that tenants, and staff under an access grant, are held to.
        me: SQL of the caller's user.
    """
    owner = owner_column(table, principal)
    if owner is not None:
        return f"{row}.{owner} = {me}"
    if not (principal.is_tenant or principal.needs_grant):
        return None
    if not reachable_by_tenants(table):
        return "false"
    if principal.is_tenant:
        return partner_predicate(table, row, partner)
    column = scope_column(table)
    parts = [] if column is None else [f"{row}.{column} = {partner}"]
    if table.name in GRANTEE_OWN:
        parts.append(GRANTEE_OWN[table.name].format(row=row, me=me))
    return f"({' OR '.join(parts)})" if len(parts) > 1 else next(iter(parts), None)


def condition(table: Table, row: str, principal: Principal) -> TextClause:
    """The condition of hand-written SQL that a row is within the principal's reach.

    Parameters:
        row: alias of the row.
    """
    if principal.kind == "product":
        # Their few doors ask for the product themselves; what is not made for them is out of reach.
        return text("false")
    partner = ":scope_partner" if principal.is_tenant else "granted_partner_id()"
    held = reach(table, row, principal, partner=partner, me=":scope_user") or "true"
    known = {"scope_partner": principal.partner_id, "scope_user": principal.user_id}
    return text(held).bindparams(**{name: value for name, value in known.items() if f":{name}" in held})


def scoped(statement: Select[*Columns], model: type[Base], principal: Principal) -> Select[*Columns]:
    """The statement held to the rows of ``model`` that the principal may reach."""
    table = model.__table__
    assert isinstance(table, Table)
    return statement.where(condition(table, table.name, principal))


async def partner_held_to(session: AsyncSession, principal: Principal) -> int | None:
    """The one partner that the principal is held to, `NO_PARTNER` where there is none; None where all are in reach."""
    if principal.is_tenant:
        return principal.partner_id or NO_PARTNER
    if principal.needs_grant:
        return await session.scalar(select(text("granted_partner_id()"))) or NO_PARTNER
    return None


def require(principal: Principal, permission: str, on: str) -> None:
    """Make sure that the principal has a permission.

    Raises:
        Forbidden: it has not; names the permission and the coordinate ``on``.
    """
    if permission not in principal.permissions:
        raise Forbidden(permission, on)


def require_staff(principal: Principal, permission: str, on: str) -> None:
    """Make sure that one of our people has a permission: what it opens is no partner's, whatever their roles hold.

    Raises:
        Forbidden: the principal lacks the permission, or is a partner's.
    """
    require(principal, permission, on)
    if principal.is_tenant:
        raise Forbidden(permission, on)


def require_all_rows(principal: Principal, on: str) -> None:
    """Make sure that the principal may reach the rows of all partners.

    Raises:
        Forbidden: it is held to one partner.
    """
    if principal.is_tenant or principal.needs_grant:
        raise Forbidden(ALL_ROWS, on)
