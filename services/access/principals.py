"""Who is behind a credential: the user's standing and permissions as they are now, asked in one statement."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from sqlalchemy import update

from core import clock
from core.crypto import keyed_hash
from core.database import read_pool, transaction
from core.errors import Unauthenticated
from core.principal import ALL_ROWS, Principal
from core.settings import get_settings
from domain.partners import PartnerMay, sql_names
from models import ApiToken
from policies.permissions import ENROLMENT_ONLY
from policies.roles import PARTNER_PERMISSIONS

ALGORITHM = "HS256"
LAST_USE_PRECISION = timedelta(minutes=1)
COOKIE_PURPOSE = "session_cookie"
API_TOKEN_PURPOSE = "api_token"  # noqa: S105

_STANDING = """
    SELECT u.id, u.kind, u.email, u.partner_id, {columns},
        ARRAY(SELECT r.name FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id ORDER BY 1)
            AS roles,
        ARRAY(
            SELECT rp.permission FROM user_roles ur JOIN role_permissions rp USING (role_id) WHERE ur.user_id = u.id
            UNION SELECT up.permission FROM user_permissions up WHERE up.user_id = u.id
        ) AS permissions
    FROM {source} JOIN users u ON u.id = c.user_id
    WHERE u.status = 'ACTIVE' AND c.revoked_at IS NULL AND c.expires_at > $2 AND {condition}
        AND (u.partner_id IS NULL OR (SELECT p.status FROM partners p WHERE p.id = u.partner_id) IN ({may_sign_in}))
"""
# API tokens were made in sessions that were let in, and scripts have no second factor.
_SESSION_COLUMNS = """
    c.id AS session_id, c.access_reason_until, NOT c.second_factor AND EXISTS (
        SELECT FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id AND r.totp_required
    ) AS must_enroll
"""
_MAY_SIGN_IN = sql_names(PartnerMay.SIGN_IN)
_BY_SESSION = _STANDING.format(
    columns=_SESSION_COLUMNS, source="sessions c", condition="c.id = $1", may_sign_in=_MAY_SIGN_IN
)
_BY_COOKIE = _STANDING.format(
    columns=_SESSION_COLUMNS, source="sessions c", condition="c.cookie_hash = $1", may_sign_in=_MAY_SIGN_IN
)
_BY_API_TOKEN = _STANDING.format(
    columns="c.id AS api_token_id, c.permissions AS scopes, c.last_used_at",
    source="api_tokens c",
    condition="c.token_hash = $1",
    may_sign_in=_MAY_SIGN_IN,
)
_BY_USER = _STANDING.format(
    columns="NULL AS session_id",
    source="(SELECT id AS user_id, NULL AS revoked_at, 'infinity'::timestamptz AS expires_at FROM users) c",
    condition="c.user_id = $1",
    may_sign_in=_MAY_SIGN_IN,
)
_EXPIRED = "the credentials are not valid or have expired; sign in again"


def _key() -> OctKey:
    return OctKey.import_key(get_settings().lookup_key() + b":access-token")


def issue_access_token(session_id: int) -> tuple[str, int]:
    """A signed access token of a session, and its end in Unix seconds."""
    expires = int(clock.now().timestamp()) + get_settings().access_token_minutes * 60
    return jwt.encode({"alg": ALGORITHM}, {"sid": session_id, "exp": expires}, _key()), expires


async def principal_of_access_token(token: str) -> tuple[Principal, float]:
    """The principal behind an access token, and when the token ends in Unix seconds.

    Raises:
        Unauthenticated: forged, expired, or its session or user has been ended.
    """
    try:
        claims: dict[str, Any] = jwt.decode(token, _key(), algorithms=[ALGORITHM]).claims
        session_id, expires = claims["sid"], float(claims["exp"])
    except (JoseError, ValueError, KeyError, TypeError):
        raise Unauthenticated(_EXPIRED) from None
    if expires <= clock.now().timestamp():
        raise Unauthenticated(_EXPIRED)
    return _principal(await _standing(_BY_SESSION, session_id)), expires


async def principal_of_cookie(cookie: str) -> Principal:
    """The principal behind a session cookie.

    Raises:
        Unauthenticated: unknown, expired, or its user has been blocked.
    """
    return _principal(await _standing(_BY_COOKIE, keyed_hash(cookie, COOKIE_PURPOSE)))


async def principal_of_api_token(token: str) -> Principal:
    """The principal behind an API token: at most the token's scopes, at most its owner's permissions (ACC-7).

    Raises:
        Unauthenticated: unknown, expired, revoked, or its owner has been blocked.
    """
    row = await _standing(_BY_API_TOKEN, keyed_hash(token, API_TOKEN_PURPOSE))
    now = clock.now()
    if row["last_used_at"] is None or now - row["last_used_at"] > LAST_USE_PRECISION:
        async with transaction() as session:
            await session.execute(update(ApiToken).where(ApiToken.id == row["api_token_id"]).values(last_used_at=now))
    return _principal(row)


async def principal_of_user(user_id: int, scopes: frozenset[str]) -> Principal:
    """A user in whose name a worker does what was asked for: at most what was allowed then, at most what is now.

    Raises:
        Unauthenticated: the user has been blocked since.
    """
    found = _principal(await _standing(_BY_USER, user_id))
    return replace(found, permissions=found.permissions & scopes)


async def _standing(sql: str, key: Any) -> asyncpg.Record:
    # A session begun a moment ago may not have reached a replica yet.
    pool = read_pool(tenant=False, primary=True)
    row = await pool.fetchrow(sql, key, clock.now())
    if row is None:
        raise Unauthenticated(_EXPIRED)
    return row


def _principal(row: asyncpg.Record) -> Principal:
    must_enroll = row.get("must_enroll", False)
    permissions = ENROLMENT_ONLY if must_enroll else frozenset(row["permissions"])
    if row["kind"] == "PARTNER":
        # Whatever rows were written past the services.
        permissions &= PARTNER_PERMISSIONS
    # A token's scopes say what may be done; whose rows are in reach is as for its owner.
    scopes = None if row.get("scopes") is None else frozenset(row["scopes"]) | {ALL_ROWS}
    return Principal(
        kind="partner" if row["kind"] == "PARTNER" else "staff",
        permissions=permissions if scopes is None else permissions & scopes,
        roles=tuple(row["roles"]),
        user_id=row["id"],
        email=row["email"],
        partner_id=row["partner_id"],
        session_id=row.get("session_id"),
        api_token_id=row.get("api_token_id"),
        must_enroll=must_enroll,
        reason_until=row.get("access_reason_until"),
    )
