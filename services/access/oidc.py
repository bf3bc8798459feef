"""Signing in by single sign-on: whose identity it is, linked once by verified email, or made where allowed (ACC-1)."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.crypto import keyed_hash
from core.principal import ANONYMOUS
from core.settings import get_settings
from domain.access import Entry, SignInMethod, UserKind, UserStatus
from domain.single_sign_on import Identity, in_domains
from models import OidcIdentity, Role, User, UserRole
from services import audit
from services.access.challenges import Challenge, challenge_of
from services.access.failures import Refused
from services.access.sessions import start_cookie_session

LINK_LOCK = 7_263_400_004
LONGEST_NAME_CHARS = 200

UNVERIFIED = Refused("OIDC_EMAIL_UNVERIFIED", "the provider has not verified your email address")
FOREIGN_DOMAIN = Refused("OIDC_DOMAIN", "addresses of this domain may not sign in here")
NO_ACCOUNT = Refused("OIDC_NO_ACCOUNT", "there is no account for you here; ask an administrator for one")
OTHER_IDENTITY = Refused("OIDC_OTHER_IDENTITY", "your account is linked to another identity at the provider")
BLOCKED = Refused("OIDC_BLOCKED", "your account is blocked")
NO_ROLE = Refused("OIDC_NO_ROLE", "the role of new accounts, KONTORA_OIDC_ROLE, does not exist or is for partners")


async def sign_in_by_identity(session: AsyncSession, identity: Identity) -> str | Challenge | Refused:
    """Start a browser's session for a proven identity, or ask for the second factor first; gives the cookie's value.

    A second factor that the provider asked for counts where the settings say so.
    """
    user = await _user_of(session, identity)
    if isinstance(user, Refused):
        return user
    told = get_settings().oidc_trust_amr and identity.tells_second_factor
    there = None if identity.session is None else provider_session_hash(identity.issuer, identity.session)
    challenge = None
    if not told:
        challenge = await challenge_of(session, user, SignInMethod.OIDC, provider_session_hash=there)
    return challenge or await start_cookie_session(session, user, Entry(SignInMethod.OIDC, told, there))


def provider_session_hash(issuer: str, session_id: str) -> str:
    """How the provider's name of a session is kept, for one provider's may be another's too."""
    return keyed_hash(f"{issuer} {session_id}", "oidc_session")


async def _user_of(session: AsyncSession, identity: Identity) -> User | Refused:
    """The user of an identity: the linked one, else the staff user with its email, else a new one where allowed."""
    settings = get_settings()
    address = identity.address
    if address is None:
        return UNVERIFIED
    if not in_domains(address, settings.oidc_email_domains):
        return FOREIGN_DOMAIN
    link = await _link_of(session, identity)
    if link is None:
        # First sign-ins are rare; two at once must not make two links or two users.
        await session.execute(select(func.pg_advisory_xact_lock(LINK_LOCK)))
        link = await _link_of(session, identity)
    user = await _linked(session, link) if link is not None else await _unlinked(session, identity, address)
    if isinstance(user, Refused):
        return user
    if user.status is not UserStatus.ACTIVE:
        await audit.record(session, ANONYMOUS, "oidc.refuse", user, before=None, after={"code": BLOCKED.code})
        return BLOCKED
    if link is None:
        link = OidcIdentity(user_id=user.id, issuer=identity.issuer, subject=identity.subject)
        session.add(link)
        await audit.record(session, ANONYMOUS, "oidc.link", user, before=None, after={"issuer": identity.issuer})
    link.last_sign_in_at = clock.now()
    return user


async def _link_of(session: AsyncSession, identity: Identity) -> OidcIdentity | None:
    statement = select(OidcIdentity).where(
        OidcIdentity.issuer == identity.issuer, OidcIdentity.subject == identity.subject
    )
    link: OidcIdentity | None = await session.scalar(statement)
    return link


async def _linked(session: AsyncSession, link: OidcIdentity) -> User:
    return await session.get_one(User, link.user_id, with_for_update=True)


async def _unlinked(session: AsyncSession, identity: Identity, address: str) -> User | Refused:
    user = await session.scalar(select(User).where(User.email == address, ~User.email_taken).with_for_update())
    if user is None:
        return await _provided(session, identity, address) if get_settings().oidc_provision else NO_ACCOUNT
    # A partner's people are not ours: whoever holds an address of theirs at our provider is not let in.
    if user.kind is not UserKind.STAFF:
        return NO_ACCOUNT
    other = select(OidcIdentity.id).where(OidcIdentity.user_id == user.id, OidcIdentity.issuer == identity.issuer)
    if await session.scalar(other) is not None:
        await audit.record(session, ANONYMOUS, "oidc.refuse", user, before=None, after={"code": OTHER_IDENTITY.code})
        return OTHER_IDENTITY
    return user


async def _provided(session: AsyncSession, identity: Identity, address: str) -> User | Refused:
    """A new staff user without a password, with the role of the settings or none."""
    wanted = get_settings().oidc_role
    role_id = None
    if wanted is not None:
        role_id = await session.scalar(select(Role.id).where(Role.name == wanted, Role.kind == UserKind.STAFF))
        if role_id is None:
            return NO_ROLE
    name = (identity.name or "").replace("\0", "").strip()[:LONGEST_NAME_CHARS] or address
    user = User(kind=UserKind.STAFF, email=address, full_name=name, password_hash=None, status=UserStatus.ACTIVE)
    session.add(user)
    await session.flush()
    if role_id is not None:
        session.add(UserRole(user_id=user.id, role_id=role_id))
    told = {"roles": [wanted] if wanted else [], "issuer": identity.issuer}
    await audit.record(session, ANONYMOUS, "user.create", user, before=None, after=told)
    return user
