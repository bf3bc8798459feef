"""Sessions: begun, renewed by rotating refresh tokens, and ended (ACC-1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.crypto import keyed_hash, random_token
from core.errors import UserError
from core.principal import ANONYMOUS, Principal
from core.request import current_request
from core.settings import get_settings
from domain.access import Entry, SessionKind, UserStatus
from domain.partners import PartnerMay, allows
from models import Partner, RefreshToken, Session, User
from services import audit
from services.access.principals import COOKIE_PURPOSE, issue_access_token

REFRESH_PURPOSE = "refresh_token"


class NoSession(UserError):
    """The call did not come with a session that could be ended."""

    code = "NO_SESSION"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session with fresh tokens.

    Parameters:
        expires_at: end of the access token.
    """

    session: Session
    user: User
    access_token: str
    refresh_token: str
    expires_at: datetime


async def start_token_session(session: AsyncSession, user: User, entry: Entry) -> SignedIn:
    """Begin a session that is carried by tokens."""
    return await _with_tokens(session, await _begin(session, user, SessionKind.TOKEN, entry), user)


async def start_cookie_session(session: AsyncSession, user: User, entry: Entry) -> str:
    """Begin a session that is carried by a cookie; gives the cookie's value, which is kept only as a hash."""
    cookie = random_token("kcs")
    await _begin(session, user, SessionKind.COOKIE, entry, cookie_hash=keyed_hash(cookie, COOKIE_PURPOSE))
    return cookie


async def refresh_session(session: AsyncSession, *, refresh_token: str) -> SignedIn | None:
    """Exchange a refresh token for new tokens; None when it is not valid.

    A token works once. Its second use means that it was stolen, by the first user or by the second: the whole
    session is ended, which the caller commits.
    """
    now = clock.now()
    token = await session.scalar(
        select(RefreshToken)
        .where(RefreshToken.token_hash == keyed_hash(refresh_token, REFRESH_PURPOSE))
        .with_for_update()
    )
    if token is None or token.expires_at <= now:
        return None
    found = await session.get(Session, token.session_id, with_for_update=True)
    assert found is not None, "a refresh token belongs to a session"
    if token.used_at is not None:
        await end_session(session, ANONYMOUS, found, "refresh token used twice")
        return None
    user = await session.get(User, found.user_id)
    assert user is not None, "a session belongs to a user"
    allowed = user.status is UserStatus.ACTIVE and await partner_lets_in(session, user)
    if found.revoked_at is not None or not allowed:
        return None
    token.used_at = now
    found.last_used_at = now
    found.expires_at = now + _lifetime()
    return await _with_tokens(session, found, user)


async def partner_lets_in(session: AsyncSession, user: User) -> bool:
    """Whether the standing of the user's partner lets its users in; ours belong to none."""
    if user.partner_id is None:
        return True
    partner = await session.get_one(Partner, user.partner_id)
    return allows(partner.status, PartnerMay.SIGN_IN)


async def sign_out(session: AsyncSession, actor: Principal) -> Session:
    """End the caller's own session.

    Raises:
        NoSession: the caller came with an API token, or not signed in.
    """
    if actor.session_id is None:
        raise NoSession("there is no session to end; API tokens are revoked with apiTokenRevoke")
    await session.execute(
        update(Session)
        .where(Session.id == actor.session_id, Session.revoked_at.is_(None))
        .values(revoked_at=clock.now(), revoked_reason="signed out")
    )
    found = await session.get_one(Session, actor.session_id)
    await audit.record(session, actor, "session.sign_out", found, before=None, after=None)
    return found


async def end_session(session: AsyncSession, actor: Principal, found: Session, reason: str) -> None:
    """End a locked session; one that has ended stays as it is."""
    if found.revoked_at is None:
        found.revoked_at = clock.now()
        found.revoked_reason = reason
        await audit.record(session, actor, "session.revoke", found, before=None, after={"reason": reason})


async def end_sessions_of(session: AsyncSession, user_id: int, reason: str) -> None:
    """End all sessions of a user at once."""
    await session.execute(
        update(Session)
        .where(Session.user_id == user_id, Session.revoked_at.is_(None))
        .values(revoked_at=clock.now(), revoked_reason=reason)
    )


async def end_other_sessions(session: AsyncSession, actor: Principal, reason: str) -> int:
    """End all sessions of the caller but the one that the call came with; gives their number."""
    others = update(Session).where(
        Session.user_id == actor.user_id, Session.id != (actor.session_id or 0), Session.revoked_at.is_(None)
    )
    ended = await session.scalars(others.values(revoked_at=clock.now(), revoked_reason=reason).returning(Session.id))
    return len(ended.all())


def _lifetime() -> timedelta:
    return timedelta(days=get_settings().refresh_token_days)


async def _begin(
    session: AsyncSession, user: User, kind: SessionKind, entry: Entry, *, cookie_hash: str | None = None
) -> Session:
    request = current_request()
    now = clock.now()
    made = Session(
        user_id=user.id,
        partner_id=user.partner_id,
        kind=kind,
        method=entry.method,
        second_factor=entry.second_factor,
        cookie_hash=cookie_hash,
        provider_session_hash=entry.provider_session_hash,
        expires_at=now + _lifetime(),
        last_used_at=now,
        created_at=now,
        ip=request.ip,
        user_agent=request.user_agent,
    )
    session.add(made)
    user.last_sign_in_at = now
    told = {"method": entry.method, "second_factor": entry.second_factor}
    await audit.record(session, ANONYMOUS, "user.sign_in", user, before=None, after=told)
    return made


async def _with_tokens(session: AsyncSession, found: Session, user: User) -> SignedIn:
    refresh_token = random_token("krt")
    session.add(
        RefreshToken(
            session_id=found.id,
            token_hash=keyed_hash(refresh_token, REFRESH_PURPOSE),
            expires_at=found.expires_at,
        )
    )
    access_token, expires = issue_access_token(found.id)
    return SignedIn(found, user, access_token, refresh_token, datetime.fromtimestamp(expires, UTC))
