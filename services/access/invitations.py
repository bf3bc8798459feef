"""Inviting users: they set a password by a link in a letter, and sign in with it (ACC-1, ACC-2)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound, UserError
from core.principal import Principal
from domain import fields
from domain.access import UserKind
from domain.user_actions import UserAction, user_blocked
from models import Partner, User
from policies.scopes import scoped
from services import audit
from services.access.addresses import count_letter, is_taken
from services.access.granting import own_permissions, standing_of, user_to_manage
from services.access.password_links import send_link
from services.access.roles import check_given, give, roles_for
from services.access.users import UserValues, add, checked


class UserIsBlocked(UserError):
    """A blocked user gets no links."""

    code = "USER_BLOCKED"


async def invite_user(
    session: AsyncSession,
    actor: Principal,
    *,
    values: UserValues,
    partner_id: int | None,
    role_ids: Sequence[int],
    permissions: Sequence[str],
) -> User:
    """Make a user without a password, and mail a link to set one; a partner's user invites to its own partner only.

    An address that signs in at another partner, or to us, is answered like any other: its owner gets a letter without a
    link, and the partner has a user who cannot come.

    Parameters:
        partner_id: whose user it is; None for our own people, and for what a partner's user invites.

    Raises:
        NotFound: no such partner or role in the actor's reach.
        BeyondOwnPermissions, NotForPartners, RoleNotForUser: the actor may not give these.
        Conflict: the email is taken, within the actor's reach.
        InvalidValue: a value cannot be right.
        RateLimited: too many letters by one person.
        MailNotConfigured: production without a mail server.
    """
    own = await own_permissions(session, actor)
    belongs_to = actor.partner_id if actor.is_tenant and partner_id is None else partner_id
    if belongs_to is not None:
        reachable = scoped(select(Partner.id).where(Partner.id == belongs_to), Partner, actor)
        if await session.scalar(reachable) is None:
            raise NotFound.of("Partner", ("input", "partnerId"))
    kind = UserKind.STAFF if belongs_to is None else UserKind.PARTNER
    roles = await roles_for(session, actor, kind, role_ids)
    if not roles:
        raise fields.InvalidValue("a user has at least one role", field=fields.path("roleIds"))
    await check_given(session, own, kind, roles, permissions)
    profile = checked(values)
    await count_letter(session, actor)
    taken = await is_taken(session, actor, profile["email"])
    user = User(kind=kind, partner_id=belongs_to, email_taken=taken, **profile)
    await add(session, user)
    await give(session, user, roles, permissions)
    told: dict[str, object] = {
        "kind": kind,
        "roles": [role.name for role in roles],
        "permissions": sorted(set(permissions)),
    }
    told |= {"email_taken": True} if taken else {}
    await audit.record(session, actor, "user.invite", user, before=None, after=told)
    await send_link(session, user)
    return user


async def send_password_link(session: AsyncSession, actor: Principal, *, user_id: int) -> User:
    """Mail a user a fresh link to set a password, or the invitation again; links before it are no longer good.

    Raises:
        NotFound, BeyondOwnPermissions: as in `user_to_manage`.
        UserIsBlocked: unblock the user first.
        RateLimited: too many letters by one person.
        MailNotConfigured: production without a mail server.
    """
    user, own = await user_to_manage(session, actor, user_id)
    blocked = user_blocked(UserAction.PASSWORD_LINK_SEND, await standing_of(session, actor, user), own)
    if blocked is not None:
        raise UserIsBlocked(blocked.message, field=("input", "userId"))
    await count_letter(session, actor)
    link = await send_link(session, user)
    await audit.record(session, actor, "user.password_link", user, before=None, after={"purpose": link.purpose})
    return user
