"""Passwords: set by a link from a letter, or changed by who knows the old one (ACC-1)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.crypto import hash_password, verify_password
from core.errors import UserError
from core.principal import ANONYMOUS, Principal
from core.request import current_request
from domain.access import PasswordLinkPurpose, UserStatus
from domain.passwords import check_password_strength
from models import PasswordLink, User
from services import audit, mail
from services.access.call_rates import count_call
from services.access.failures import Attempt, Refused, count_failure, forget_failures, locked_until
from services.access.password_links import hash_of, revoke_links, send_link
from services.access.sessions import end_other_sessions, end_sessions_of, partner_lets_in
from services.access.sign_in import MAX_PASSWORD_CHARS
from services.outbox import enqueue

PREPARE_RESET = "password_reset.prepare"
REQUESTS_A_MINUTE = 10
LETTERS_AN_HOUR = 3


class InvalidLink(UserError):
    """The link was used, replaced by a newer one, has expired, or was never ours."""

    code = "INVALID_LINK"

    def __init__(self) -> None:
        super().__init__("the link is not good any more; ask for a new one", field=("input", "token"))


class PasswordNotChanged(UserError):
    """Only people who signed in change their passwords, and to another one."""

    code = "INVALID"


async def request_password_reset(session: AsyncSession, *, email: str) -> None:
    """Have a letter sent if the email is somebody's; the answer and its time tell nothing of that.

    Raises:
        RateLimited: too many requests from one address.
        MailNotConfigured: production without a mail server.
    """
    mail.make_sure_of_mail()
    await count_call(session, "password_reset", current_request().ip or "", per_minute=REQUESTS_A_MINUTE)
    address = email.strip().lower().replace("\0", "")
    user_id = await session.scalar(select(User.id).where(User.email == address, ~User.email_taken))
    # The rest takes longer for those who exist, so a worker does it; here both are one look-up and one row.
    await enqueue(session, PREPARE_RESET, {"userId": user_id})


async def prepare_password_reset(session: AsyncSession, *, user_id: int) -> None:
    """Mail a link to a user who may sign in, at most three an hour."""
    user = await session.get(User, user_id, with_for_update=True)
    if user is None or user.status is not UserStatus.ACTIVE or not await partner_lets_in(session, user):
        return
    recent = select(func.count()).where(
        PasswordLink.user_id == user_id, PasswordLink.created_at > func.now() - timedelta(hours=1)
    )
    if (await session.scalar(recent) or 0) >= LETTERS_AN_HOUR:
        return
    await send_link(session, user)
    await audit.record(session, ANONYMOUS, "user.password_requested", user, before=None, after=None)


async def reset_password(session: AsyncSession, *, token: str, password: str) -> User:
    """Set the password of the user to whom a link was sent; ends all sessions, and the link.

    Raises:
        InvalidLink: the link is not good, or its user may not sign in.
        WeakPassword: too short, or easy to guess; the link stays good.
    """
    link, user = await _of_link(session, token)
    check_password_strength(password, email=user.email, field=("input", "password"))
    # Hashing takes long, so it is done before the locks; what was found is looked at again under them.
    hashed = await hash_password(password)
    await session.refresh(user, with_for_update=True)
    await session.refresh(link, with_for_update=True)
    if not _is_good(link) or user.status is not UserStatus.ACTIVE:
        raise InvalidLink
    link.used_at = clock.now()
    await revoke_links(session, user.id)
    _set(user, hashed)
    await end_sessions_of(session, user.id, "password reset")
    await forget_failures(session, Attempt.of(user.email, current_request().ip))
    action = "user.join" if link.purpose is PasswordLinkPurpose.INVITE else "user.password_reset"
    await audit.record(session, ANONYMOUS, action, user, before=None, after=None)
    if link.purpose is PasswordLinkPurpose.RESET:
        await _tell(session, user)
    return user


async def link_email(session: AsyncSession, *, token: str) -> str:
    """Whose password a link sets.

    Raises:
        InvalidLink: the link is not good, or its user may not sign in.
    """
    return (await _of_link(session, token))[1].email


async def change_password(session: AsyncSession, actor: Principal, *, current: str, new: str) -> User | Refused:
    """Change one's own password and end one's other sessions; a wrong old one counts as a failed sign-in.

    Raises:
        PasswordNotChanged: the caller did not sign in, or came with an API token.
        WeakPassword: too short, easy to guess, or the old one.
    """
    if actor.user_id is None or actor.session_id is None:
        raise PasswordNotChanged("a password is changed by the person who signed in")
    user = await session.get_one(User, actor.user_id)
    attempt = Attempt.of(user.email, current_request().ip)
    if await locked_until(session, attempt) is not None:
        return Refused("LOCKED", "too many failed attempts; try again later")
    stored = user.password_hash
    if stored is None or len(current) > MAX_PASSWORD_CHARS or not await verify_password(stored, current):
        await session.refresh(user, with_for_update=True)
        await count_failure(session, attempt)
        return Refused("INVALID_CREDENTIALS", "the current password is wrong")
    check_password_strength(new, email=user.email, field=("input", "newPassword"))
    if new == current:
        raise PasswordNotChanged("the new password is the old one", field=("input", "newPassword"))
    hashed = await hash_password(new)
    # Again, under the user's lock: many guesses at once must not outrun the count.
    await session.refresh(user, with_for_update=True)
    if await locked_until(session, attempt) is not None:
        return Refused("LOCKED", "too many failed attempts; try again later")
    if user.password_hash != stored:
        return Refused("INVALID_CREDENTIALS", "the current password is wrong")
    await revoke_links(session, user.id)
    _set(user, hashed)
    await end_other_sessions(session, actor, "password changed")
    await audit.record(session, actor, "user.password_change", user, before=None, after=None)
    await _tell(session, user)
    return user


async def _of_link(session: AsyncSession, token: str) -> tuple[PasswordLink, User]:
    link = await session.scalar(select(PasswordLink).where(PasswordLink.token_hash == hash_of(token)))
    if link is None or not _is_good(link):
        raise InvalidLink
    user = await session.get_one(User, link.user_id)
    if user.status is not UserStatus.ACTIVE or not await partner_lets_in(session, user):
        raise InvalidLink
    return link, user


def _is_good(link: PasswordLink) -> bool:
    return link.used_at is None and link.revoked_at is None and link.expires_at > clock.now()


def _set(user: User, hashed: str) -> None:
    user.password_hash = hashed
    user.password_set_at = clock.now()
    user.failed_sign_ins = 0
    user.locked_until = None
    user.version += 1


async def _tell(session: AsyncSession, user: User) -> None:
    """Whoever set it, the owner of the address hears of it; where there is no mail, nothing is in the way."""
    try:
        mail.make_sure_of_mail()
    except mail.MailNotConfigured:
        return
    told = {"email": user.email, "changed_at": clock.now()}
    await mail.send(session, user.email, "password_changed", user.locale, told, partner_id=user.partner_id)
