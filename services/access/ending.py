"""Seeing and ending sessions and API tokens: one's own, and by administrators those of others (ACC-1, ACC-7)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import NotFound
from core.principal import Principal
from domain import fields
from models import ApiToken, Session, User
from policies.scopes import scoped
from services import audit
from services.access.granting import user_to_manage
from services.access.sessions import NoSession, end_other_sessions, end_session, end_sessions_of
from services.loading import load

SHOWN_SESSIONS = 100


async def own_sessions(session: AsyncSession, actor: Principal) -> Sequence[Session]:
    """The caller's sessions that have not ended, the last used first."""
    live = select(Session).where(
        Session.user_id == actor.user_id, Session.revoked_at.is_(None), Session.expires_at > clock.now()
    )
    newest = scoped(live, Session, actor).order_by(Session.last_used_at.desc(), Session.id.desc()).limit(SHOWN_SESSIONS)
    return (await session.scalars(newest)).all()


async def end_own_session(session: AsyncSession, actor: Principal, *, session_id: int) -> Session:
    """End one of one's own sessions; doing it again changes nothing.

    Raises:
        NotFound: no such session of the caller's.
    """
    found = await load(session, actor, Session, session_id, field="sessionId")
    if actor.user_id is None or found.user_id != actor.user_id:
        raise NotFound.of("Session", fields.path("sessionId"))
    return await _end(session, actor, found, "ended by its user")


async def end_own_other_sessions(session: AsyncSession, actor: Principal) -> int:
    """End all of one's sessions but this one; gives their number.

    Raises:
        NoSession: the caller came with an API token.
    """
    if actor.session_id is None:
        raise NoSession("an API token has no session to stay in")
    ended = await end_other_sessions(session, actor, "ended by its user")
    if ended:
        own = await session.get_one(Session, actor.session_id)
        await audit.record(session, actor, "session.revoke_others", own, before=None, after={"sessions": ended})
    return ended


async def end_session_of_user(session: AsyncSession, actor: Principal, *, session_id: int) -> Session:
    """End a session of a user; doing it again changes nothing.

    Raises:
        NotFound: no such session in the actor's reach.
        BeyondOwnPermissions: its user has permissions that the actor lacks.
    """
    found = await load(session, actor, Session, session_id, field="sessionId")
    await user_to_manage(session, actor, found.user_id, field="sessionId")
    return await _end(session, actor, found, "ended by an administrator")


async def sign_out_user(session: AsyncSession, actor: Principal, *, user_id: int) -> User:
    """End all sessions of a user at once; API tokens stay.

    Raises:
        NotFound, BeyondOwnPermissions: as in `user_to_manage`.
    """
    user, _ = await user_to_manage(session, actor, user_id)
    await end_sessions_of(session, user_id, "ended by an administrator")
    await audit.record(session, actor, "user.sign_out", user, before=None, after=None)
    return user


async def revoke_token_of_user(session: AsyncSession, actor: Principal, *, api_token_id: int) -> ApiToken:
    """End an API token of a user; doing it again changes nothing.

    Raises:
        NotFound: no such token in the actor's reach.
        BeyondOwnPermissions: its owner has permissions that the actor lacks.
    """
    token = await load(session, actor, ApiToken, api_token_id, field="apiTokenId")
    await user_to_manage(session, actor, token.user_id, field="apiTokenId")
    await session.refresh(token, with_for_update=True)
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        await audit.record(session, actor, "api_token.revoke", token, before=None, after={"name": token.name})
    return token


async def _end(session: AsyncSession, actor: Principal, found: Session, reason: str) -> Session:
    await session.refresh(found, with_for_update=True)
    await end_session(session, actor, found, reason)
    return found
