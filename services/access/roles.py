"""Custom roles, and what users are given by roles and directly; never more than the giver has (ACC-2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict, NotFound, UserError
from core.principal import Principal
from domain import fields
from domain.access import UserKind, fits_custom_role
from models import Role, RolePermission, User, UserPermission, UserRole
from policies.granting import check_grant, check_management, check_vocabulary
from policies.roles import SUPERADMIN
from policies.scopes import scoped
from services import audit
from services.access.granting import keep_a_superadmin, own_permissions, permissions_of, user_to_manage
from services.changes import next_version, unique
from services.loading import load

LONGEST_NAME_CHARS = 60


class RoleBuiltIn(Conflict):
    """Built-in roles change with the product only; a copy may be changed."""

    code = "ROLE_BUILT_IN"


class RoleInUse(Conflict):
    """Somebody has the role."""

    code = "ROLE_IN_USE"


class RoleNotForUser(UserError):
    """The role is for our own people, or for partners' users, and the user is of the other kind."""

    code = "ROLE_NOT_FOR_USER"


class RoleValues(TypedDict, total=False):
    """What a custom role says; ``permissions`` replaces all of them."""

    name: str
    description: str
    permissions: Sequence[str]


async def create_role(
    session: AsyncSession, actor: Principal, *, kind: UserKind | None, copy_of: int | None, values: RoleValues
) -> Role:
    """Make a custom role, from nothing or as a copy of any other with more permissions.

    Parameters:
        kind: whom it is for; a copy is for the same people.

    Raises:
        NotFound: there is no role to copy.
        BeyondOwnPermissions, NotForPartners, UnknownPermission: the permissions cannot be given.
        Conflict: the name is taken.
        InvalidValue: a value cannot be right.
    """
    own = await own_permissions(session, actor)
    permissions = set(values.get("permissions", ()))
    if copy_of is not None:
        copied = await load(session, actor, Role, copy_of, field="copyOfId")
        if kind not in (None, copied.kind):
            raise RoleNotForUser(f"the copied role is for {copied.kind.lower()} users", field=fields.path("kind"))
        kind = copied.kind
        permissions |= await _permissions(session, [copy_of])
    if kind is None:
        raise fields.InvalidValue("say whom the role is for, or which role to copy", field=fields.path("kind"))
    _check(own, kind, permissions)
    role = Role(name=_name(values["name"]), description=_description(values["description"]), kind=kind)
    async with unique(session, "uq_roles_name", "there is a role with this name", "name"):
        session.add(role)
    session.add_all(RolePermission(role_id=role.id, permission=name) for name in sorted(permissions))
    told = {"name": role.name, "kind": kind, "permissions": sorted(permissions)}
    await audit.record(session, actor, "role.create", role, before=None, after=told)
    return role


async def update_role(
    session: AsyncSession, actor: Principal, *, role_id: int, version: int, values: RoleValues
) -> Role:
    """Change a custom role, and with it what all who have it may do.

    Raises:
        NotFound: no such role.
        RoleBuiltIn: it comes with the product.
        BeyondOwnPermissions: it gives, gave, or its holders otherwise have what the actor lacks.
        NotForPartners, UnknownPermission: the permissions cannot be given.
        Conflict: somebody changed the role since, or the name is taken.
        InvalidValue: a value cannot be right.
    """
    role, own = await _role_to_change(session, actor, role_id)
    next_version(role, version)
    had = await _permissions(session, [role_id])
    gives = set(values["permissions"]) if "permissions" in values else had
    _check(own, role.kind, gives)
    check_management(own, had, fields.path("roleId"))
    check_management(own, await _of_holders(session, role_id), fields.path("roleId"))
    before = {"name": role.name, "description": role.description, "permissions": sorted(had)}
    async with unique(session, "uq_roles_name", "there is a role with this name", "name"):
        role.name = _name(values["name"]) if "name" in values else role.name
        role.description = _description(values["description"]) if "description" in values else role.description
    taken = delete(RolePermission).where(RolePermission.role_id == role_id, RolePermission.permission.in_(had - gives))
    await session.execute(taken)
    session.add_all(RolePermission(role_id=role_id, permission=name) for name in sorted(gives - had))
    after = {"name": role.name, "description": role.description, "permissions": sorted(gives)}
    await audit.record(session, actor, "role.update", role, before=before, after=after)
    return role


async def delete_role(session: AsyncSession, actor: Principal, *, role_id: int) -> None:
    """Delete a custom role that nobody has.

    Raises:
        NotFound: no such role.
        RoleBuiltIn: it comes with the product.
        RoleInUse: somebody has it.
        BeyondOwnPermissions: it gives what the actor lacks.
    """
    role, own = await _role_to_change(session, actor, role_id)
    had = await _permissions(session, [role_id])
    check_management(own, had, fields.path("roleId"))
    if await session.scalar(select(UserRole.user_id).where(UserRole.role_id == role_id).limit(1)) is not None:
        raise RoleInUse("take the role from its users first", field=fields.path("roleId"))
    told = {"name": role.name, "permissions": sorted(had)}
    await audit.record(session, actor, "role.delete", role, before=told, after=None)
    await session.delete(role)


async def update_access(
    session: AsyncSession,
    actor: Principal,
    *,
    user_id: int,
    version: int,
    role_ids: Sequence[int] | None,
    permissions: Sequence[str] | None,
) -> User:
    """Replace a user's roles, direct permissions, or both; it holds everywhere within seconds.

    Raises:
        NotFound: no such user or role in the actor's reach.
        BeyondOwnPermissions: the user has, or would get, what the actor lacks.
        NotForPartners, RoleNotForUser, UnknownPermission: the user may not have these.
        LastSuperadmin: nobody else may do everything.
        Conflict: somebody changed the user since.
    """
    user, own = await user_to_manage(session, actor, user_id)
    next_version(user, version)
    had_roles, _ = await permissions_of(session, user_id)
    kept = select(Role).join(UserRole, UserRole.role_id == Role.id).where(UserRole.user_id == user_id)
    directly = select(UserPermission.permission).where(UserPermission.user_id == user_id)
    had_directly = set(await session.scalars(directly))
    roles = (
        list(await session.scalars(kept)) if role_ids is None else await roles_for(session, actor, user.kind, role_ids)
    )
    direct = had_directly if permissions is None else set(permissions)
    await check_given(session, own, user.kind, roles, direct)
    names = sorted(role.name for role in roles)
    if SUPERADMIN in had_roles and SUPERADMIN not in names:
        await keep_a_superadmin(session, without=user_id, field="roleIds")
    await session.execute(delete(UserRole).where(UserRole.user_id == user_id))
    await session.execute(delete(UserPermission).where(UserPermission.user_id == user_id))
    await give(session, user, roles, direct)
    before = {"roles": list(had_roles), "permissions": sorted(had_directly)}
    after = {"roles": names, "permissions": sorted(direct)}
    await audit.record(session, actor, "user.access", user, before=before, after=after)
    return user


async def roles_for(session: AsyncSession, actor: Principal, kind: UserKind, role_ids: Sequence[int]) -> list[Role]:
    """Roles that a user of this kind may have.

    Raises:
        NotFound: one of them does not exist in the actor's reach.
        RoleNotForUser: one is for people of the other kind.
    """
    found = list(await session.scalars(scoped(select(Role).where(Role.id.in_(role_ids)), Role, actor)))
    if len(found) != len(set(role_ids)):
        raise NotFound.of("Role", fields.path("roleIds"))
    for role in found:
        if role.kind is not kind:
            told = "our own people" if role.kind is UserKind.STAFF else "partners' users"
            raise RoleNotForUser(f"the role {role.name} is for {told}", field=fields.path("roleIds"))
    return found


async def check_given(
    session: AsyncSession, own: frozenset[str], kind: UserKind, roles: Iterable[Role], permissions: Iterable[str]
) -> None:
    """Make sure that the giver has all that these roles and permissions give.

    Raises:
        BeyondOwnPermissions, NotForPartners, UnknownPermission: it cannot be given.
    """
    check_grant(own, await _permissions(session, [role.id for role in roles]), fields.path("roleIds"))
    _check(own, kind, permissions)


async def give(session: AsyncSession, user: User, roles: Iterable[Role], permissions: Iterable[str]) -> None:
    """Write a user's roles and direct permissions."""
    session.add_all(UserRole(user_id=user.id, role_id=role.id) for role in roles)
    session.add_all(UserPermission(user_id=user.id, permission=name) for name in sorted(set(permissions)))
    await session.flush()


def _check(own: frozenset[str], kind: UserKind, permissions: Iterable[str]) -> None:
    check_vocabulary(kind, permissions, fields.path("permissions"))
    check_grant(own, permissions, fields.path("permissions"))


async def _role_to_change(session: AsyncSession, actor: Principal, role_id: int) -> tuple[Role, frozenset[str]]:
    own = await own_permissions(session, actor)
    role = await load(session, actor, Role, role_id, field="roleId", lock=True, references=True)
    if role.built_in:
        raise RoleBuiltIn(f"{role.name} comes with the product; make a copy of it", field=fields.path("roleId"))
    return role, own


async def _permissions(session: AsyncSession, role_ids: Sequence[int]) -> frozenset[str]:
    given = select(RolePermission.permission).where(RolePermission.role_id.in_(role_ids))
    return frozenset(await session.scalars(given))


async def _of_holders(session: AsyncSession, role_id: int) -> frozenset[str]:
    """All that those who have the role may do, by whatever way."""
    holders = select(UserRole.user_id).where(UserRole.role_id == role_id).scalar_subquery()
    by_roles = (
        select(RolePermission.permission)
        .join(UserRole, UserRole.role_id == RolePermission.role_id)
        .where(UserRole.user_id.in_(holders))
    )
    directly = select(UserPermission.permission).where(UserPermission.user_id.in_(holders))
    return frozenset(await session.scalars(by_roles.union(directly)))


def _name(value: str) -> str:
    name = fields.line(value, "name", most_chars=LONGEST_NAME_CHARS)
    if not fits_custom_role(name):
        raise fields.InvalidValue("names in capitals are those of built-in roles", field=fields.path("name"))
    return name


def _description(value: str) -> str:
    return fields.line(value, "description")
