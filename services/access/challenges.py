"""Sign-ins that wait for the second factor: a challenge is short-lived and good for one session (ACC-1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.crypto import keyed_hash, random_token
from core.principal import ANONYMOUS
from domain.access import Entry, SignInMethod, UserStatus
from domain.factors import CHALLENGE_LIFE, CHALLENGE_TRIES
from models import SignInChallenge, User
from services.access.failures import Refused
from services.access.second_factor import Shown, factor_of, prove
from services.access.sessions import SignedIn, partner_lets_in, start_cookie_session, start_token_session

CHALLENGE_PURPOSE = "sign_in_challenge"
SWEPT_AT_ONCE = 100
ENDED = Refused("INVALID_CHALLENGE", "this sign-in has ended; begin again")


@dataclass(frozen=True, slots=True)
class Challenge:
    """A sign-in that needs the second factor.

    Parameters:
        token: told once, kept as a hash.
    """

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Passed:
    """A sign-in that has all it needs."""

    user: User
    entry: Entry


async def challenge_of(
    session: AsyncSession, user: User, method: SignInMethod, *, provider_session_hash: str | None = None
) -> Challenge | None:
    """What a user who has proved the first factor must answer; None for users without a second one."""
    if await factor_of(session, user.id) is None:
        return None
    now = clock.now()
    await _sweep(session, now)
    token = random_token("kch")
    made = SignInChallenge(
        user_id=user.id,
        method=method,
        token_hash=keyed_hash(token, CHALLENGE_PURPOSE),
        provider_session_hash=provider_session_hash,
        expires_at=now + CHALLENGE_LIFE,
    )
    session.add(made)
    await session.flush()
    return Challenge(token, made.expires_at)


async def pass_challenge(session: AsyncSession, *, challenge: str, shown: Shown) -> Passed | Refused:
    """Answer a challenge with a code. After a few wrong ones it ends, and the sign-in begins anew."""
    hashed = keyed_hash(challenge, CHALLENGE_PURPOSE)
    waiting = select(SignInChallenge).where(SignInChallenge.token_hash == hashed)
    user_id = await session.scalar(waiting.with_only_columns(SignInChallenge.user_id))
    if user_id is None:
        return ENDED
    # The user first, as everywhere.
    user = await session.get_one(User, user_id, with_for_update=True)
    found = await session.scalar(waiting.with_for_update())
    factor = await factor_of(session, user.id)
    if found is None or factor is None or not _waits(found):
        return ENDED
    if user.status is not UserStatus.ACTIVE or not await partner_lets_in(session, user):
        return ENDED
    refused = await prove(session, ANONYMOUS, user, factor, shown)
    if refused is not None:
        found.failures += 1
        return refused
    found.used_at = clock.now()
    return Passed(user, Entry(found.method, second_factor=True, provider_session_hash=found.provider_session_hash))


async def verify_sign_in(session: AsyncSession, *, challenge: str, shown: Shown) -> SignedIn | Refused:
    """Start the session that a challenge stood for."""
    passed = await pass_challenge(session, challenge=challenge, shown=shown)
    return passed if isinstance(passed, Refused) else await start_token_session(session, passed.user, passed.entry)


async def verify_in_browser(session: AsyncSession, *, challenge: str, shown: Shown) -> str | Refused:
    """Like :func:`verify_sign_in`, for a session that is carried by a cookie; gives the cookie's value."""
    passed = await pass_challenge(session, challenge=challenge, shown=shown)
    return passed if isinstance(passed, Refused) else await start_cookie_session(session, passed.user, passed.entry)


def _waits(found: SignInChallenge) -> bool:
    return found.used_at is None and found.failures < CHALLENGE_TRIES and found.expires_at > clock.now()


async def _sweep(session: AsyncSession, now: datetime) -> None:
    old = (
        select(SignInChallenge.id)
        .where(SignInChallenge.expires_at < now)
        .limit(SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    await session.execute(delete(SignInChallenge).where(SignInChallenge.id.in_(old)))
