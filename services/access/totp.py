"""Authenticator apps: enrolled by their owner, taken away by password and code, or by staff who may (ACC-1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.crypto import encrypt
from core.errors import Conflict, UserError
from core.principal import Principal
from core.settings import get_settings
from domain.factors import ENROLMENT_LIFE, FRESH_SIGN_IN, new_secret, otpauth_uri
from domain.user_actions import NOT_ENROLLED, OWN_FACTOR, UserAction, user_blocked
from models import Role, Session, TotpFactor, User, UserRole
from services import audit
from services.access.failures import Refused
from services.access.granting import standing_of, user_to_manage
from services.access.recovery_codes import recovery_codes_left, replace_recovery_codes
from services.access.second_factor import Shown, factor_of, prove, remove_factor, secret_context
from services.access.sessions import end_sessions_of
from services.access.sign_in import check_password

MAX_REASON_CHARS = 500


class SignInAgain(UserError):
    """The session is too old, or is none: a factor is only set up right after signing in."""

    code = "SIGN_IN_AGAIN"


class Enrolled(Conflict):
    """There is a factor already."""

    code = "TOTP_ENROLLED"


class NotEnrolled(Conflict):
    """There is no factor, or no enrolment that was begun a moment ago."""

    code = "TOTP_NOT_ENROLLED"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs; told once."""

    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class OwnFactor:
    """How one's second factor stands.

    Parameters:
        confirmed_at: since when it is in force; None without one.
        required: whether a role of the user's asks for it.
    """

    confirmed_at: datetime | None
    required: bool
    recovery_codes_left: int


async def own_factor(session: AsyncSession, user_id: int) -> OwnFactor:
    """How a user's second factor stands."""
    factor = await factor_of(session, user_id)
    required: Any = (
        select(UserRole.user_id)
        .join(Role, Role.id == UserRole.role_id)
        .where(UserRole.user_id == user_id, Role.totp_required)
        .exists()
    )
    return OwnFactor(
        None if factor is None else factor.confirmed_at,
        bool(await session.scalar(select(required))),
        await recovery_codes_left(session, user_id),
    )


async def start_enrolment(session: AsyncSession, actor: Principal) -> Enrolment:
    """Begin to set up an app; an enrolment that was begun before and not finished ends.

    Raises:
        SignInAgain: the sign-in is not fresh.
        Enrolled: there is a factor in force.
    """
    user, _ = await _self(session, actor, fresh=True)
    if await factor_of(session, user.id) is not None:
        raise Enrolled("there is a second factor already; disable it to set up another")
    await session.execute(delete(TotpFactor).where(TotpFactor.user_id == user.id))
    secret = new_secret()
    factor = TotpFactor(
        user_id=user.id, secret_encrypted=encrypt(secret, secret_context(user.id)), created_at=clock.now()
    )
    session.add(factor)
    await audit.record(session, actor, "second_factor.enroll_start", user, before=None, after=None)
    return Enrolment(secret, otpauth_uri(secret, account=user.email, issuer=get_settings().totp_issuer))


async def confirm_enrolment(session: AsyncSession, actor: Principal, *, code: str) -> list[str] | Refused:
    """Put the app in force with a code of it; gives the recovery codes, told once.

    The other sessions of the user, which never showed a second factor, end.

    Raises:
        SignInAgain: the caller has no session.
        Enrolled: there is a factor in force.
        NotEnrolled: nothing was begun, or too long ago.
    """
    user, own = await _self(session, actor)
    factor = await session.scalar(select(TotpFactor).where(TotpFactor.user_id == user.id))
    if factor is not None and factor.confirmed_at is not None:
        raise Enrolled("there is a second factor already")
    if factor is None or factor.created_at <= clock.now() - ENROLMENT_LIFE:
        raise NotEnrolled("begin with totpEnrollStart; what it tells is good for some minutes")
    refused = await prove(session, actor, user, factor, Shown(code, recovery=False))
    if refused is not None:
        return refused
    factor.confirmed_at = clock.now()
    own.second_factor = True
    codes = await replace_recovery_codes(session, user.id)
    await session.execute(
        update(Session)
        .where(Session.user_id == user.id, Session.id != own.id)
        .where(Session.revoked_at.is_(None), Session.second_factor.is_(False))
        .values(revoked_at=clock.now(), revoked_reason="second factor set up")
    )
    await audit.record(session, actor, "second_factor.enroll", user, before=None, after={"recovery_codes": len(codes)})
    return codes


async def regenerate_recovery_codes(session: AsyncSession, actor: Principal, *, shown: Shown) -> list[str] | Refused:
    """Fresh recovery codes in place of all earlier ones, told once.

    Raises:
        SignInAgain: the caller has no session.
        NotEnrolled: there is no factor.
    """
    user, _ = await _self(session, actor)
    refused = await prove(session, actor, user, await _enrolled(session, user), shown)
    if refused is not None:
        return refused
    codes = await replace_recovery_codes(session, user.id)
    await audit.record(session, actor, "recovery_code.regenerate", user, before=None, after={"left": len(codes)})
    return codes


async def disable(session: AsyncSession, actor: Principal, *, password: str | None, shown: Shown) -> User | Refused:
    """Take one's own factor away, by password and code. Where a role asks for one, the session may then only enrol.

    Who signs in at a provider and has no password shows a fresh sign-in instead.

    Raises:
        SignInAgain: the caller has no session, or has no password and no fresh session.
        NotEnrolled: there is no factor.
    """
    user, own = await _self(session, actor)
    if user.password_hash is None:
        _fresh(own)
    else:
        checked = await check_password(session, email=user.email, password=password or "")
        if isinstance(checked, Refused):
            return checked
    refused = await prove(session, actor, user, await _enrolled(session, user), shown)
    if refused is not None:
        return refused
    await remove_factor(session, user)
    own.second_factor = False
    others = Session.user_id == user.id, Session.id != own.id
    await session.execute(update(Session).where(*others).values(second_factor=False))
    await audit.record(session, actor, "second_factor.disable", user, before={"enrolled": True}, after=None)
    return user


async def reset(session: AsyncSession, actor: Principal, *, user_id: int, reason: str) -> User:
    """Take another user's factor away, as after the loss of a phone, and end the user's sessions (ACC-1, ACC-2).

    Raises:
        UserError: no reason.
        NotFound: no such user.
        BeyondOwnPermissions: the user has permissions that the caller lacks.
        Conflict: it is the caller.
        NotEnrolled: there is no factor.
    """
    if not 1 <= len(reason.strip()) <= MAX_REASON_CHARS:
        raise UserError(f"say why, in 1 to {MAX_REASON_CHARS} characters", field=("input", "reason"))
    if user_id == actor.user_id:
        raise Conflict(OWN_FACTOR.message, field=("input", "userId"))
    user, own = await user_to_manage(session, actor, user_id)
    blocked = user_blocked(UserAction.RESET_SECOND_FACTOR, await standing_of(session, actor, user), own)
    if blocked is not None:
        raise NotEnrolled(blocked.message, field=("input", "userId"))
    await remove_factor(session, user)
    await end_sessions_of(session, user.id, "second factor reset")
    told = {"reason": reason.strip()}
    await audit.record(session, actor, "second_factor.reset", user, before={"enrolled": True}, after=told)
    return user


async def _self(session: AsyncSession, actor: Principal, *, fresh: bool = False) -> tuple[User, Session]:
    """The caller, locked, and the session that the call came with."""
    if actor.user_id is None or actor.session_id is None:
        raise SignInAgain("sign in as a person; API tokens have no second factor")
    user = await session.get_one(User, actor.user_id, with_for_update=True)
    own = await session.get_one(Session, actor.session_id)
    if fresh:
        _fresh(own)
    return user, own


def _fresh(own: Session) -> None:
    if own.created_at <= clock.now() - FRESH_SIGN_IN:
        raise SignInAgain("sign in again: a second factor is changed right after signing in only")


async def _enrolled(session: AsyncSession, user: User) -> TotpFactor:
    factor = await factor_of(session, user.id)
    if factor is None:
        raise NotEnrolled(NOT_ENROLLED.message)
    return factor
