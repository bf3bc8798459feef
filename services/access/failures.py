"""Counts of failed sign-ins by account and by address, and the locks that they bring (ACC-1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import case, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.crypto import keyed_hash
from domain.access import ACCOUNT_RULE, ADDRESS_RULE, CALLER_RULE, FAILURES_FORGOTTEN_AFTER, LockRule
from models import SignInFailure

PURPOSE = "sign_in_failure"
SWEPT_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a proof was refused; a value, not an exception, for the count of failures must be committed.

    Parameters:
        code: stable code, such as INVALID_CREDENTIALS or LOCKED.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a sign-in is counted for.

    Parameters:
        account: the account, known or not, from everywhere.
        caller: the account from the caller's address.
        address: the address over all accounts; None where there is none.
    """

    account: str
    caller: str
    address: str | None

    @classmethod
    def of(cls, email: str, address: str | None) -> Self:
        """The subjects of an attempt, hashed."""
        return cls(
            account=keyed_hash(f"account:{email}", PURPOSE),
            caller=keyed_hash(f"caller:{address}:{email}", PURPOSE),
            address=keyed_hash(f"address:{address}", PURPOSE) if address else None,
        )

    def rules(self) -> dict[str, LockRule]:
        """Each subject with its rule, in the one order in which their rows are locked."""
        found = {self.account: ACCOUNT_RULE, self.caller: CALLER_RULE}
        if self.address is not None:
            found[self.address] = ADDRESS_RULE
        return dict(sorted(found.items()))


async def locked_until(session: AsyncSession, attempt: Attempt) -> datetime | None:
    """The end of the longest lock in force for an attempt."""
    found: datetime | None = await session.scalar(
        select(func.max(SignInFailure.locked_until)).where(
            SignInFailure.subject.in_(attempt.rules()), SignInFailure.locked_until > clock.now()
        )
    )
    return found


async def refused_while_locked(session: AsyncSession, attempt: Attempt) -> Refused | None:
    """What an attempt is told while a lock is in force."""
    until = await locked_until(session, attempt)
    if until is None:
        return None
    seconds = int((until - clock.now()).total_seconds()) + 1
    return Refused("LOCKED", f"too many failed attempts; try again in {seconds} seconds")


async def count_failure(session: AsyncSession, attempt: Attempt) -> tuple[int, datetime | None]:
    """Count a failure for each subject; gives the account's failures and the end of a lock that this one brought."""
    now = clock.now()
    counts: dict[str, int] = {}
    longest: datetime | None = None
    for subject, rule in attempt.rules().items():
        counts[subject] = await _count(session, subject, now)
        lock = rule.lock_after(counts[subject])
        if lock is None:
            continue
        until = now + lock
        row = await session.get(SignInFailure, subject, populate_existing=True)
        assert row is not None, "the row was written by this transaction"
        row.locked_until = until
        longest = until if longest is None else max(longest, until)
    await _sweep(session, now)
    return counts[attempt.account], longest


async def forget_failures(session: AsyncSession, attempt: Attempt) -> None:
    """A right password clears the account's counts; the address keeps its own, for a guesser may have an account."""
    await session.execute(delete(SignInFailure).where(SignInFailure.subject.in_((attempt.account, attempt.caller))))


async def _count(session: AsyncSession, subject: str, now: datetime) -> int:
    stale: Any = SignInFailure.last_failed_at < now - FAILURES_FORGOTTEN_AFTER
    statement = insert(SignInFailure).values(subject=subject, failures=1, last_failed_at=now)
    counted = statement.on_conflict_do_update(
        index_elements=[SignInFailure.subject],
        set_={"failures": case((stale, 1), else_=SignInFailure.failures + 1), "last_failed_at": now},
    ).returning(SignInFailure.failures)
    failures = await session.scalar(counted)
    assert failures is not None, "an upsert gives its row"
    return int(failures)


async def _sweep(session: AsyncSession, now: datetime) -> None:
    old = (
        select(SignInFailure.subject)
        .where(SignInFailure.last_failed_at < now - FAILURES_FORGOTTEN_AFTER)
        .limit(SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    await session.execute(delete(SignInFailure).where(SignInFailure.subject.in_(old)))
