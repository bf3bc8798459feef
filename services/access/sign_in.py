"""Signing in with email and password, with a growing lock after failures (ACC-1)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.crypto import hash_password, verify_password
from core.principal import ANONYMOUS
from core.request import current_request
from domain.access import UserStatus
from models import User
from services import audit
from services.access.failures import Attempt, count_failure, forget_failures, locked_until
from services.access.sessions import SignedIn, partner_lets_in, start_token_session

MAX_PASSWORD_CHARS = 1_000
WRONG = "the email or the password is wrong"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a sign-in was refused; a value, not an exception, for the count of failures must be committed.

    Parameters:
        code: INVALID_CREDENTIALS or LOCKED.
    """

    code: str
    message: str


async def sign_in(session: AsyncSession, *, email: str, password: str) -> SignedIn | Refused:
    """Start a session with an access token and a refresh token."""
    found = await check_password(session, email=email, password=password)
    return found if isinstance(found, Refused) else await start_token_session(session, found)


async def check_password(session: AsyncSession, *, email: str, password: str) -> User | Refused:
    """The user whose password this is; counts failures and locks for longer and longer.

    Unknown, blocked and wrong answer alike, lock alike and take the same time.
    """
    address = email.strip().lower()
    attempt = Attempt.of(address, current_request().ip)
    refused = await _locked(session, attempt)
    if refused is not None:
        return refused
    user = None if "\0" in address else await session.scalar(select(User).where(User.email == address))
    stored = user.password_hash if user is not None else await _dummy_hash()
    right = len(password) <= MAX_PASSWORD_CHARS and await verify_password(stored, password)
    if user is None or not right:
        return await _failed(session, attempt, user)
    # Again, under the user's lock: many guesses at once must not outrun the count, nor a sign-in the blocking.
    await session.refresh(user, with_for_update=True)
    refused = await _locked(session, attempt)
    if refused is not None:
        return refused
    if user.status is not UserStatus.ACTIVE or not await partner_lets_in(session, user):
        return await _failed(session, attempt, user)
    await forget_failures(session, attempt)
    user.failed_sign_ins = 0
    user.locked_until = None
    user.last_sign_in_at = clock.now()
    await audit.record(session, ANONYMOUS, "user.sign_in", user, before=None, after=None)
    return user


async def _locked(session: AsyncSession, attempt: Attempt) -> Refused | None:
    until = await locked_until(session, attempt)
    if until is None:
        return None
    seconds = int((until - clock.now()).total_seconds()) + 1
    return Refused("LOCKED", f"too many failed attempts; try again in {seconds} seconds")


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
