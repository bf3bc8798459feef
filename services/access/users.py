"""Users: the first superadmin, profiles, blocking and unblocking (ACC-1, ACC-2)."""

from __future__ import annotations

from typing import TypedDict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from core import clock
from core.crypto import hash_password
from core.errors import NotFound
from core.principal import Principal
from domain import fields
from domain.access import UserKind, UserStatus
from domain.mail import LOCALES
from domain.passwords import check_password_strength
from domain.user_actions import UserAction, user_blocked
from models import Role, User, UserRole
from policies.roles import SUPERADMIN
from services import audit, mail
from services.access.addresses import check_new_address, is_taken
from services.access.failures import Attempt, forget_failures
from services.access.granting import LastSuperadmin, standing_of, user_to_manage
from services.access.password_links import revoke_links
from services.access.sessions import end_sessions_of
from services.changes import apply, next_version, unique


class UserValues(TypedDict, total=False):
    """What a user's profile says."""

    email: str
    full_name: str
    locale: str


async def create_superadmin(session: AsyncSession, actor: Principal, *, email: str, name: str, password: str) -> User:
    """Make a user who may do everything; the first one is made by the command line.

    Raises:
        InvalidValue: the email is none.
        WeakPassword: too short, or easy to guess.
        Conflict: the email is taken.
    """
    values = checked({"email": email, "full_name": name.strip() or email})
    check_password_strength(password, email=values["email"], field=("input", "password"))
    user = User(kind=UserKind.STAFF, **values, password_hash=await hash_password(password), password_set_at=clock.now())
    await add(session, user)
    role_id = await session.scalar(select(Role.id).where(Role.name == SUPERADMIN))
    assert role_id is not None, "migrations write the built-in roles"
    session.add(UserRole(user_id=user.id, role_id=role_id))
    await audit.record(session, actor, "user.create", user, before=None, after={"roles": [SUPERADMIN]})
    return user


async def update_user(
    session: AsyncSession, actor: Principal, *, user_id: int, version: int, values: UserValues
) -> User:
    """Change a user's profile; a new email ends links that were sent to the old one, which is told of it (ACC-1).

    Raises:
        NotFound, BeyondOwnPermissions: as in `user_to_manage`.
        Conflict: somebody changed the user since, or the email is taken, within the actor's reach.
        EmailFixed: a partner's owner gives another address only to whoever has not come yet.
        RateLimited: too many addresses by one person.
        InvalidValue: a value cannot be right.
        MailNotConfigured: another email, and production without a mail server that could tell the old one.
    """
    user, _ = await user_to_manage(session, actor, user_id)
    next_version(user, version)
    return await _apply(session, actor, user, values)


async def update_own_profile(session: AsyncSession, actor: Principal, *, values: UserValues) -> User:
    """Change one's own name and language.

    Raises:
        InvalidValue: a value cannot be right.
        NotFound: the caller is no user.
    """
    assert "email" not in values, "the email is what one signs in with; it takes user:write"
    statement = select(User).where(User.id == actor.user_id).options(defer(User.password_hash, raiseload=True))
    user = await session.scalar(statement.with_for_update())
    if user is None:
        raise NotFound.of("User")
    user.version += 1
    return await _apply(session, actor, user, values)


async def block_user(session: AsyncSession, actor: Principal, *, user_id: int) -> User:
    """Refuse a user from now on and end all sessions; API tokens stop with it.

    Raises:
        NotFound, BeyondOwnPermissions: as in `user_to_manage`.
        LastSuperadmin: the user is the last active superadmin.
    """
    user, own = await user_to_manage(session, actor, user_id)
    blocked = user_blocked(UserAction.BLOCK, await standing_of(session, actor, user), own)
    if blocked is not None:
        if blocked.is_done:
            return user
        raise LastSuperadmin(blocked.message, field=fields.path("userId"))
    user.status = UserStatus.BLOCKED
    user.version += 1
    await revoke_links(session, user_id)
    await end_sessions_of(session, user_id, "user blocked")
    await audit.record(session, actor, "user.block", user, before={"status": "ACTIVE"}, after={"status": "BLOCKED"})
    return user


async def unblock_user(session: AsyncSession, actor: Principal, *, user_id: int) -> User:
    """Let a blocked user sign in again; ended sessions stay ended.

    Raises:
        NotFound, BeyondOwnPermissions: as in `user_to_manage`.
    """
    user, own = await user_to_manage(session, actor, user_id)
    if user_blocked(UserAction.UNBLOCK, await standing_of(session, actor, user), own) is None:
        user.status = UserStatus.ACTIVE
        user.version += 1
        user.failed_sign_ins = 0
        user.locked_until = None
        # The counts belong to no partner, so tenants cannot reach them; they are forgotten by themselves.
        if not actor.is_tenant:
            await forget_failures(session, Attempt.of(user.email, None))
        await audit.record(
            session, actor, "user.unblock", user, before={"status": "BLOCKED"}, after={"status": "ACTIVE"}
        )
    return user


async def user_with_email(session: AsyncSession, email: str) -> User:
    """The user who signs in with an address.

    Raises:
        NotFound: nobody does.
    """
    user = await session.scalar(select(User).where(User.email == email.strip().lower(), ~User.email_taken))
    if user is None:
        raise NotFound.of(f"User {email}")
    return user


async def add(session: AsyncSession, user: User) -> None:
    """Write a new user.

    Raises:
        Conflict: the email is taken.
    """
    async with unique(session, "uq_users_email", f"there is a user with the email {user.email}", "email"):
        session.add(user)


def checked(values: UserValues) -> UserValues:
    """The values as they are kept.

    Raises:
        InvalidValue: a value cannot be right.
    """
    kept = UserValues()
    if "email" in values:
        address = fields.email(values["email"], "email")
        if address is None:
            raise fields.InvalidValue("email must not be empty", field=fields.path("email"))
        kept["email"] = address
    if "full_name" in values:
        kept["full_name"] = fields.line(values["full_name"], "fullName")
    if "locale" in values:
        if values["locale"] not in LOCALES:
            raise fields.InvalidValue(f"locale is one of {', '.join(LOCALES)}", field=fields.path("locale"))
        kept["locale"] = values["locale"]
    return kept


async def _apply(session: AsyncSession, actor: Principal, user: User, values: UserValues) -> User:
    kept = checked(values)
    was_taken = user.email_taken
    if kept.get("email", user.email) != user.email:
        await check_new_address(session, actor, user)
        user.email_taken = await is_taken(session, actor, kept["email"])
    async with unique(session, "uq_users_email", "there is a user with this email", "email"):
        before, after = apply(user, kept)
    if "email" in after:
        await revoke_links(session, user.id)
    if "email" in after and not was_taken:
        told = {"email": before["email"], "changed_at": clock.now()}
        await mail.send(session, before["email"], "email_changed", user.locale, told, partner_id=user.partner_id)
    await audit.record(session, actor, "user.update", user, before=before, after=after)
    return user
