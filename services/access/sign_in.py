"""Signing in with email and password, with a growing lock after failures (ACC-1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.crypto import hash_password, verify_password
from core.principal import ANONYMOUS
from domain.access import UserStatus
from models import User
from services import audit
from services.access.sessions import SignedIn, start_token_session

FREE_ATTEMPTS = 5
FIRST_LOCK = timedelta(seconds=30)
LONGEST_LOCK = timedelta(hours=1)
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
    """The user whose password this is; counts failures and locks the account for longer and longer.

    Unknown, blocked and wrong answer alike and take the same time.
    """
    user = await session.scalar(select(User).where(User.email == email.strip().lower()))
    now = clock.now()
    if user is not None and user.locked_until is not None and user.locked_until > now:
        seconds = int((user.locked_until - now).total_seconds()) + 1
        return Refused("LOCKED", f"too many failed attempts; try again in {seconds} seconds")
    stored = user.password_hash if user is not None else await _dummy_hash()
    right = len(password) <= MAX_PASSWORD_CHARS and await verify_password(stored, password)
    if user is None:
        return Refused("INVALID_CREDENTIALS", WRONG)
    if not right or user.status is not UserStatus.ACTIVE:
        await _count_failure(session, user)
        return Refused("INVALID_CREDENTIALS", WRONG)
    user.failed_sign_ins = 0
    user.locked_until = None
    user.last_sign_in_at = now
    await audit.record(session, ANONYMOUS, "user.sign_in", user, before=None, after=None)
    return user


async def _count_failure(session: AsyncSession, user: User) -> None:
    failures = await session.scalar(
        update(User)
        .where(User.id == user.id)
        .values(failed_sign_ins=User.failed_sign_ins + 1)
        .returning(User.failed_sign_ins)
    )
    assert failures is not None
    if failures >= FREE_ATTEMPTS:
        lock = min(FIRST_LOCK * 2 ** min(failures - FREE_ATTEMPTS, 20), LONGEST_LOCK)
        until = clock.now() + lock
        await session.execute(update(User).where(User.id == user.id).values(locked_until=until))
        await audit.record(
            session,
            ANONYMOUS,
            "user.locked",
            user,
            before=None,
            after={"failed_sign_ins": failures, "locked_until": until},
        )


_dummy: str | None = None


async def _dummy_hash() -> str:
    global _dummy
    if _dummy is None:
        _dummy = await hash_password("the password of nobody")
    return _dummy
