"""The one door to a change of who may what: one at a time, by those who may do as much themselves (ACC-2)."""

from __future__ import annotations

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from core.errors import Conflict, NotFound
from core.principal import Principal
from domain.access import UserStatus
from domain.user_actions import LAST_SUPERADMIN, UserStanding
from models import Role, RolePermission, TotpFactor, User, UserPermission, UserRole
from policies.granting import check_management, held_by
from policies.roles import SUPERADMIN
from policies.scopes import scoped

GRANTING_LOCK = 7_263_400_005


class LastSuperadmin(Conflict):
    """Nobody would be left who may do everything."""

    code = "LAST_SUPERADMIN"


async def permissions_of(session: AsyncSession, user_id: int) -> tuple[tuple[str, ...], frozenset[str]]:
    """Names of a user's roles, and all permissions that they and direct grants give."""
    roles = await session.execute(
        select(Role.name)
        .join(UserRole, UserRole.role_id == Role.id)
        .where(UserRole.user_id == user_id)
        .order_by(Role.name)
    )
    granted = await session.scalars(
        select(RolePermission.permission)
        .join(UserRole, UserRole.role_id == RolePermission.role_id)
        .where(UserRole.user_id == user_id)
        .union(select(UserPermission.permission).where(UserPermission.user_id == user_id))
    )
    return tuple(roles.scalars()), frozenset(granted)


async def own_permissions(session: AsyncSession, actor: Principal) -> frozenset[str]:
    """What the actor has now; until the transaction ends, nobody else changes who may what."""
    await session.execute(select(func.pg_advisory_xact_lock(GRANTING_LOCK)))
    if actor.user_id is None:
        return held_by(actor, frozenset())
    # A call that began just before its user was blocked ends with nothing to give.
    status = await session.scalar(select(User.status).where(User.id == actor.user_id))
    granted = (await permissions_of(session, actor.user_id))[1] if status is UserStatus.ACTIVE else frozenset()
    return held_by(actor, granted)


async def user_to_manage(
    session: AsyncSession, actor: Principal, user_id: int, *, field: str | None = "userId"
) -> tuple[User, frozenset[str]]:
    """A locked user, and what the actor has now; oneself too, for an API token has less than its owner.

    Raises:
        NotFound: no such user in the actor's reach.
        BeyondOwnPermissions: the user has permissions that the actor lacks.
    """
    path = ("input", field) if field else None
    own = await own_permissions(session, actor)
    statement = scoped(select(User).where(User.id == user_id), User, actor)
    # Tenants may not read the hash, and nobody here needs it.
    user: User | None = await session.scalar(
        statement.options(defer(User.password_hash, raiseload=True)).with_for_update()
    )
    if user is None:
        raise NotFound.of("User", path)
    check_management(own, (await permissions_of(session, user_id))[1], path)
    return user, own


async def keep_a_superadmin(session: AsyncSession, without: int, field: str) -> None:
    """Make sure that a superadmin who can sign in is left without this user.

    Raises:
        LastSuperadmin: there is none.
    """
    if not await _has_another_superadmin(session, without):
        raise LastSuperadmin(LAST_SUPERADMIN.message, field=("input", field))


async def standing_of(session: AsyncSession, actor: Principal, user: User) -> UserStanding:
    """What decides what may be done with a user."""
    roles, permissions = await permissions_of(session, user.id)
    confirmed = select(TotpFactor.id).where(TotpFactor.user_id == user.id, TotpFactor.confirmed_at.is_not(None))
    return UserStanding(
        user.status,
        permissions,
        oneself=user.id == actor.user_id,
        last_superadmin=SUPERADMIN in roles and not await _has_another_superadmin(session, user.id),
        enrolled=await session.scalar(confirmed) is not None,
    )


async def _has_another_superadmin(session: AsyncSession, without: int) -> bool:
    other = (
        select(User.id)
        .join(UserRole, UserRole.user_id == User.id)
        .join(Role, Role.id == UserRole.role_id)
        .where(
            Role.name == SUPERADMIN,
            User.status == UserStatus.ACTIVE,
            or_(User.password_set_at.is_not(None), User.last_sign_in_at.is_not(None)),
            User.id != without,
        )
    )
    return await session.scalar(other.limit(1)) is not None
