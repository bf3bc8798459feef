"""API tokens for scripts: named, scoped, expiring, kept hashed (ACC-7)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.crypto import keyed_hash, random_token
from core.errors import Conflict, NotFound, UserError
from core.principal import Principal
from models import ApiToken
from policies.scopes import scoped
from services import audit
from services.access.principals import API_TOKEN_PURPOSE

LONGEST_LIFE = timedelta(days=366)
MAX_NAME_CHARS = 100
HINT_CHARS = 4


class InvalidApiToken(UserError):
    """The name, the scopes or the end of a token cannot be right."""

    code = "INVALID"


async def create_api_token(
    session: AsyncSession, actor: Principal, *, name: str, permissions: list[str], expires_at: datetime
) -> tuple[ApiToken, str]:
    """Make a token; its text is told once and never kept.

    Raises:
        InvalidApiToken: a scope beyond one's own permissions, an end in the past or too far, no name.
        Conflict: the name is taken.
    """
    if actor.user_id is None:
        raise InvalidApiToken("only users have API tokens")
    if actor.api_token_id is not None:
        raise InvalidApiToken("API tokens are made by people: a token that makes tokens could outlive its revocation")
    if not 1 <= len(name.strip()) <= MAX_NAME_CHARS:
        raise InvalidApiToken(f"a name has 1 to {MAX_NAME_CHARS} characters", field=("input", "name"))
    beyond = sorted(set(permissions) - actor.permissions)
    if beyond or not permissions:
        told = f"you lack {', '.join(beyond)}" if beyond else "a token needs at least one permission"
        raise InvalidApiToken(told, field=("input", "permissions"))
    now = clock.now()
    if not now < expires_at <= now + LONGEST_LIFE:
        raise InvalidApiToken(
            f"a token ends in the future, at most {LONGEST_LIFE.days} days from now", field=("input", "expiresAt")
        )
    taken = await session.scalar(
        select(ApiToken.id).where(ApiToken.user_id == actor.user_id, ApiToken.name == name.strip())
    )
    if taken is not None:
        raise Conflict(f"you have a token named {name.strip()!r} already", field=("input", "name"))
    text = random_token("kat")
    token = ApiToken(
        user_id=actor.user_id,
        partner_id=actor.partner_id,
        name=name.strip(),
        token_hash=keyed_hash(text, API_TOKEN_PURPOSE),
        hint=text[-HINT_CHARS:],
        permissions=sorted(set(permissions)),
        expires_at=expires_at,
    )
    session.add(token)
    await audit.record(
        session,
        actor,
        "api_token.create",
        token,
        before=None,
        after={"name": token.name, "permissions": token.permissions},
    )
    return token, text


async def revoke_api_token(session: AsyncSession, actor: Principal, *, api_token_id: int) -> ApiToken:
    """End one of one's own tokens; doing it again changes nothing.

    Raises:
        NotFound: no such token of the caller's.
    """
    statement = select(ApiToken).where(ApiToken.id == api_token_id, ApiToken.user_id == actor.user_id)
    token: ApiToken | None = await session.scalar(scoped(statement, ApiToken, actor).with_for_update())
    if token is None:
        raise NotFound.of("ApiToken", ("input", "apiTokenId"))
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        await audit.record(session, actor, "api_token.revoke", token, before=None, after={"name": token.name})
    return token
