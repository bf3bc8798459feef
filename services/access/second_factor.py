"""Proving the second factor: a code of the app or a recovery code, each once, with a growing lock (ACC-1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.crypto import decrypt
from core.errors import UserError
from core.principal import Principal
from core.request import current_request
from domain.factors import matching_step
from models import RecoveryCode, TotpFactor, User
from services import audit
from services.access.failures import Attempt, Refused, count_failure, forget_failures, refused_while_locked
from services.access.recovery_codes import recovery_codes_left, spend_recovery_code


class OneProof(UserError):
    """Either a code of the app or a recovery code is shown, never both or none."""

    code = "ONE_CODE"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person shows as second factor.

    Parameters:
        text: as it was typed.
        recovery: whether it is a recovery code.
    """

    text: str
    recovery: bool

    @classmethod
    def of(cls, code: str | None, recovery_code: str | None) -> Self:
        """The one that was given.

        Raises:
            OneProof: both, or none.
        """
        if (code is None) == (recovery_code is None):
            raise OneProof("give either code or recoveryCode", field=("input", "code"))
        return cls(code, False) if code is not None else cls(recovery_code or "", True)


def secret_context(user_id: int) -> str:
    """What binds an encrypted secret to its row."""
    return f"totp_factors.secret:{user_id}"


async def factor_of(session: AsyncSession, user_id: int) -> TotpFactor | None:
    """The factor that is in force, not one whose enrolment was never finished."""
    statement = select(TotpFactor).where(TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_not(None))
    factor: TotpFactor | None = await session.scalar(statement.execution_options(populate_existing=True))
    return factor


async def prove(
    session: AsyncSession, actor: Principal, user: User, factor: TotpFactor, shown: Shown
) -> Refused | None:
    """Spend what is shown; None when it is right. Failures are counted apart from those of passwords.

    A right password must not clear them: it would give whoever knows it endless guesses.

    Parameters:
        user: locked by the caller, so that guesses at once cannot outrun the count.
        factor: also one that is being confirmed.
    """
    attempt = attempt_of(user)
    refused = await refused_while_locked(session, attempt)
    if refused is not None:
        return refused
    if not await _spend(session, actor, user, factor, shown):
        return await _failed(session, actor, user, attempt)
    await forget_failures(session, attempt)
    user.locked_until = None
    return None


async def remove_factor(session: AsyncSession, user: User) -> None:
    """Delete a user's factor, its recovery codes and its count of failures."""
    await session.execute(delete(TotpFactor).where(TotpFactor.user_id == user.id))
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    await forget_failures(session, attempt_of(user))


def attempt_of(user: User) -> Attempt:
    """What failures of a user's second factor are counted for."""
    return Attempt.of(f"second-factor:{user.id}", current_request().ip)


async def _spend(session: AsyncSession, actor: Principal, user: User, factor: TotpFactor, shown: Shown) -> bool:
    if shown.recovery:
        return await _spend_recovery(session, actor, user, shown)
    return await _spend_step(session, factor, shown)


async def _spend_step(session: AsyncSession, factor: TotpFactor, shown: Shown) -> bool:
    secret = decrypt(factor.secret_encrypted, secret_context(factor.user_id))
    step = matching_step(secret, shown.text, clock.now(), factor.last_step)
    if step is None:
        return False
    unspent: Any = or_(TotpFactor.last_step.is_(None), TotpFactor.last_step < step)
    spent = await session.scalar(
        update(TotpFactor).where(TotpFactor.id == factor.id, unspent).values(last_step=step).returning(TotpFactor.id)
    )
    return spent is not None


async def _spend_recovery(session: AsyncSession, actor: Principal, user: User, shown: Shown) -> bool:
    if not await spend_recovery_code(session, user.id, shown.text):
        return False
    left = await recovery_codes_left(session, user.id)
    await audit.record(session, actor, "recovery_code.use", user, before={"left": left + 1}, after={"left": left})
    return True


async def _failed(session: AsyncSession, actor: Principal, user: User, attempt: Attempt) -> Refused:
    failures, until = await count_failure(session, attempt)
    await audit.record(session, actor, "second_factor.refuse", user, before=None, after={"failures": failures})
    if until is not None:
        user.locked_until = until
        await audit.record(session, actor, "user.locked", user, before=None, after={"locked_until": until})
    return Refused("INVALID_CODE", "the code is wrong, or was used before")
