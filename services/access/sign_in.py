"""Signing in with email and password, with a growing lock after failures (ACC-1)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.crypto import hash_password, is_outdated, verify_password
from core.principal import ANONYMOUS
from core.request import current_request
from domain.access import Entry, SignInMethod, UserStatus
from models import User
from services import audit
from services.access.challenges import Challenge, challenge_of
from services.access.failures import Attempt, Refused, count_failure, forget_failures, refused_while_locked
from services.access.sessions import SignedIn, partner_lets_in, start_cookie_session, start_token_session

MAX_PASSWORD_CHARS = 1_000
WRONG = "the email or the password is wrong"


async def sign_in(session: AsyncSession, *, email: str, password: str) -> SignedIn | Challenge | Refused:
    """Start a session with an access token and a refresh token, or ask for the second factor first."""
    found = await check_password(session, email=email, password=password)
    if isinstance(found, Refused):
        return found
    challenge = await challenge_of(session, found, SignInMethod.PASSWORD)
    return challenge or await start_token_session(session, found, Entry(SignInMethod.PASSWORD))


async def sign_in_to_browser(session: AsyncSession, *, email: str, password: str) -> str | Challenge | Refused:
    """Like :func:`sign_in`, for a session that is carried by a cookie; gives the cookie's value."""
    found = await check_password(session, email=email, password=password)
    if isinstance(found, Refused):
        return found
    challenge = await challenge_of(session, found, SignInMethod.PASSWORD)
    return challenge or await start_cookie_session(session, found, Entry(SignInMethod.PASSWORD))


async def check_password(session: AsyncSession, *, email: str, password: str) -> User | Refused:
    """The user whose password this is; counts failures and locks for longer and longer.

    Unknown, blocked and wrong answer alike, lock alike and take the same time.
    """
    address = email.strip().lower()
    attempt = Attempt.of(address, current_request().ip)
    refused = await refused_while_locked(session, attempt)
    if refused is not None:
        return refused
    user = (
        None if "\0" in address else await session.scalar(select(User).where(User.email == address, ~User.email_taken))
    )
    # Who is invited or comes by single sign-on may have none, and takes as long as the others.
    stored = None if user is None else user.password_hash
    right = len(password) <= MAX_PASSWORD_CHARS and await verify_password(stored or await _dummy_hash(), password)
    if user is None or stored is None or not right:
        return await _failed(session, attempt, user)
    # Again, under the user's lock: many guesses at once must not outrun the count, nor a sign-in the blocking.
    await session.refresh(user, with_for_update=True)
    refused = await refused_while_locked(session, attempt)
    if refused is not None:
        return refused
    # A password that was replaced meanwhile was right no longer when the sessions of before were ended.
    replaced = user.password_hash != stored
    if replaced or user.status is not UserStatus.ACTIVE or not await partner_lets_in(session, user):
        return await _failed(session, attempt, user)
    if is_outdated(stored):
        user.password_hash = await hash_password(password)
    await forget_failures(session, attempt)
    user.failed_sign_ins = 0
    user.locked_until = None
    return user


async def _failed(session: AsyncSession, attempt: Attempt, user: User | None) -> Refused:
    if user is not None:
        # First, as a right password takes it first: the other order could deadlock.
        await session.refresh(user, with_for_update=True)
    failures, until = await count_failure(session, attempt)
    if user is not None:
        user.failed_sign_ins = failures
        if until is not None:
            user.locked_until = until
            told = {"failed_sign_ins": failures, "locked_until": until}
            await audit.record(session, ANONYMOUS, "user.locked", user, before=None, after=told)
    return Refused("INVALID_CREDENTIALS", WRONG)


_dummy: str | None = None


async def _dummy_hash() -> str:
    global _dummy
    if _dummy is None:
        _dummy = await hash_password("the password of nobody")
    return _dummy
