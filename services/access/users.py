"""Users: the first superadmin, blocking and unblocking (ACC-1, ACC-2)."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.crypto import hash_password
from core.errors import Conflict, NotFound, UserError
from core.principal import Principal
from domain.access import UserKind, UserStatus
from models import Role, RolePermission, User, UserPermission, UserRole
from services import audit
from services.access.failures import Attempt, forget_failures
from services.access.sessions import end_sessions_of

MIN_PASSWORD_CHARS = 12
LAST_SUPERADMIN_LOCK = 7_263_400_002


class WeakPassword(UserError):
    """The password is too short."""

    code = "WEAK_PASSWORD"


class LastSuperadmin(Conflict):
    """Nobody would be left who may do everything."""

    code = "LAST_SUPERADMIN"


async def create_superadmin(session: AsyncSession, actor: Principal, *, email: str, name: str, password: str) -> User:
    """Make a user who may do everything; the first one is made by the command line.

    Raises:
        WeakPassword: fewer than 12 characters.
        Conflict: the email is taken.
    """
    if len(password) < MIN_PASSWORD_CHARS:
        raise WeakPassword(f"a password has at least {MIN_PASSWORD_CHARS} characters", field=("password",))
    address = email.strip().lower()
    if "@" not in address:
        raise UserError(f"{email!r} is not an email address", field=("email",))
    if await session.scalar(select(User.id).where(User.email == address)) is not None:
        raise Conflict(f"there is a user with the email {address}", field=("email",))
    user = User(
        kind=UserKind.STAFF,
        email=address,
        full_name=name.strip() or address,
        password_hash=await hash_password(password),
    )
    session.add(user)
    await session.flush()
    role_id = await session.scalar(select(Role.id).where(Role.name == "SUPERADMIN"))
    assert role_id is not None, "migrations write the built-in roles"
    session.add(UserRole(user_id=user.id, role_id=role_id))
    await audit.record(session, actor, "user.create", user, before=None, after={"roles": ["SUPERADMIN"]})
    return user


async def block_user(session: AsyncSession, actor: Principal, *, user_id: int) -> User:
    """Refuse a user from now on and end all sessions; API tokens stop with it.

    Raises:
        NotFound: no such user.
        LastSuperadmin: the user is the last active superadmin.
    """
    await session.execute(select(func.pg_advisory_xact_lock(LAST_SUPERADMIN_LOCK)))
    user = await session.get(User, user_id, with_for_update=True)
    if user is None:
        raise NotFound.of("user", ("input", "userId"))
    if user.status is UserStatus.BLOCKED:
        return user
    superadmins = (
        select(User.id)
        .join(UserRole, UserRole.user_id == User.id)
        .join(Role, Role.id == UserRole.role_id)
        .where(Role.name == "SUPERADMIN", User.status == UserStatus.ACTIVE)
    )
    if set(await session.scalars(superadmins)) == {user_id}:
        raise LastSuperadmin("the last superadmin cannot be blocked", field=("input", "userId"))
    user.status = UserStatus.BLOCKED
    await end_sessions_of(session, user_id, "user blocked")
    await audit.record(session, actor, "user.block", user, before={"status": "ACTIVE"}, after={"status": "BLOCKED"})
    return user


async def unblock_user(session: AsyncSession, actor: Principal, *, user_id: int) -> User:
    """Let a blocked user sign in again; ended sessions stay ended.

    Raises:
        NotFound: no such user.
    """
    user = await session.get(User, user_id, with_for_update=True)
    if user is None:
        raise NotFound.of("user", ("input", "userId"))
    if user.status is UserStatus.BLOCKED:
        user.status = UserStatus.ACTIVE
        user.failed_sign_ins = 0
        user.locked_until = None
        await forget_failures(session, Attempt.of(user.email, None))
        await audit.record(
            session, actor, "user.unblock", user, before={"status": "BLOCKED"}, after={"status": "ACTIVE"}
        )
    return user


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
