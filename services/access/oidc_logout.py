"""Sessions that end because their people signed out at the provider (OpenID Connect Back-Channel Logout 1.0, ACC-1)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.crypto import keyed_hash
from core.errors import UserError
from core.principal import ANONYMOUS
from domain.access import SignInMethod
from domain.single_sign_on import Logout
from models import OidcIdentity, OidcLogout, Session, SignInChallenge
from services.access.oidc import provider_session_hash
from services.access.sessions import end_session

# Longer than any logout token is taken.
NUMBERS_KEPT = timedelta(hours=1)
CLOCKS_APART = timedelta(seconds=60)


class LogoutRepeated(UserError):
    """The logout token was used before."""

    code = "OIDC_LOGOUT_REPEATED"


async def log_out(session: AsyncSession, logout: Logout) -> int:
    """End the sessions that a provider's logout is about; gives their number. Each logout counts once.

    With a session of the provider's these are the ones that were begun with it, else all of the person's that came from
    the provider; what was begun after the logout stays, and so do sessions by password, and API tokens.

    Raises:
        LogoutRepeated: it was told before.
    """
    await _count(session, logout)
    about = [Session.method == SignInMethod.OIDC, Session.created_at <= logout.issued_at + CLOCKS_APART]
    waiting = [SignInChallenge.method == SignInMethod.OIDC, SignInChallenge.used_at.is_(None)]
    if logout.session is not None:
        hashed = provider_session_hash(logout.issuer, logout.session)
        about.append(Session.provider_session_hash == hashed)
        waiting.append(SignInChallenge.provider_session_hash == hashed)
    if logout.subject is not None:
        person = select(OidcIdentity.user_id).where(
            OidcIdentity.issuer == logout.issuer, OidcIdentity.subject == logout.subject
        )
        about.append(Session.user_id.in_(person))
        waiting.append(SignInChallenge.user_id.in_(person))
    await session.execute(update(SignInChallenge).where(*waiting).values(used_at=clock.now()))
    live = select(Session).where(*about, Session.revoked_at.is_(None)).order_by(Session.id).with_for_update()
    found = (await session.scalars(live)).all()
    for one in found:
        await end_session(session, ANONYMOUS, one, "signed out at the provider")
    return len(found)


async def _count(session: AsyncSession, logout: Logout) -> None:
    await session.execute(delete(OidcLogout).where(OidcLogout.created_at < clock.now() - NUMBERS_KEPT))
    number = keyed_hash(f"{logout.issuer} {logout.number}", "oidc_logout")
    counted = insert(OidcLogout).values(number_hash=number, created_at=clock.now())
    first = await session.scalar(counted.on_conflict_do_nothing().returning(OidcLogout.number_hash))
    if first is None:
        raise LogoutRepeated("the logout token was used before")
