"""Roles whose users must have a second factor (ACC-1)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import Principal
from models import Role, RolePermission
from policies.granting import check_grant
from services import audit
from services.access.granting import own_permissions
from services.loading import load


async def set_totp_required(session: AsyncSession, actor: Principal, *, role_id: int, required: bool) -> Role:
    """Ask users of a role for a second factor, or no more. Sessions without one may only enrol, within seconds.

    Raises:
        NotFound: no such role.
        BeyondOwnPermissions: the role gives permissions that the caller lacks.
    """
    own = await own_permissions(session, actor)
    role = await load(session, actor, Role, role_id, field="roleId", lock=True)
    given = await session.scalars(select(RolePermission.permission).where(RolePermission.role_id == role.id))
    check_grant(own, given, ("input", "roleId"))
    if role.totp_required is not required:
        role.totp_required = required
        told = {"totp_required": not required}, {"totp_required": required}
        await audit.record(session, actor, "role.set_totp_required", role, before=told[0], after=told[1])
    return role
