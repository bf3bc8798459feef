"""Signatures of uninstall hooks, and one-time tokens of widgets, by the rules of developers.kommo.com (ACC-7)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from core.crypto import same
from core.errors import Unauthenticated
from gateways.amocrm.hosts import ForeignHost, account_domain

ALGORITHM = "HS256"
CLOCK_SKEW = timedelta(seconds=30)
# The vendor gives 30 minutes; one that would live for days is no one-time token.
LONGEST_LIFE = timedelta(hours=1)
LONGEST_JTI = 100
LONGEST_TOKEN_CHARS = 4_000


class BadToken(Unauthenticated):
    """A widget's token is not genuine, not for us, or not for now."""

    code = "BAD_WIDGET_TOKEN"


@dataclass(frozen=True)
class WidgetClaims:
    """What a genuine one-time token says.

    Parameters:
        jti: its number; each may be used once, until ``expires_at``.
    """

    domain: str
    account_id: int
    user_id: int
    is_admin: bool
    jti: str
    expires_at: datetime


def hook_signature(client_uuid: str, account_id: str, secret: str) -> str:
    """The signature of an uninstall hook."""
    return hmac.new(secret.encode(), f"{client_uuid}|{account_id}".encode(), hashlib.sha256).hexdigest()


def genuine_hook(client_uuid: str, account_id: str, signature: str, secret: str) -> bool:
    """Whether an uninstall hook was signed with the integration's secret."""
    return same(signature, hook_signature(client_uuid, account_id, secret))


def claimed_integration(token: str) -> str:
    """The integration that a token claims to be of, unproven: it says whose secret is to be tried.

    Raises:
        BadToken: not a token at all.
    """
    try:
        payload = token.split(".")[1]
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        raise BadToken("this is not a token") from None
    found = claims.get("client_uuid") if isinstance(claims, dict) else None
    if not isinstance(found, str):
        raise BadToken("the token names no integration")
    return found


def read_token(token: str, *, secret: str, client_uuid: str, audience: str, now: datetime) -> WidgetClaims:
    """Check a one-time token in every respect but its single use.

    Parameters:
        audience: scheme and host of our redirect address.

    Raises:
        BadToken: wrong signature or algorithm, for another integration or address, not valid now, or not complete.
    """
    try:
        claims = jwt.decode(token, OctKey.import_key(secret), algorithms=[ALGORITHM]).claims
    except (JoseError, ValueError):
        raise BadToken("the token's signature is wrong") from None
    if claims.get("client_uuid") != client_uuid:
        raise BadToken("the token is for another integration")
    if claims.get("aud") != audience:
        raise BadToken("the token is for another address")
    expires_at = _valid_now(claims, now)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= LONGEST_JTI:
        raise BadToken("the token has no number")
    account_id, user_id = _key(claims.get("account_id")), _key(claims.get("user_id"))
    return WidgetClaims(
        _domain(claims.get("iss")), account_id, user_id, claims.get("is_admin") is True, jti, expires_at
    )


def _valid_now(claims: dict[str, Any], now: datetime) -> datetime:
    issued_at, not_before, expires_at = (_moment(claims.get(name)) for name in ("iat", "nbf", "exp"))
    if expires_at + CLOCK_SKEW <= now:
        raise BadToken("the token has expired")
    if max(issued_at, not_before) - CLOCK_SKEW > now:
        raise BadToken("the token is not valid yet")
    if expires_at - issued_at > LONGEST_LIFE:
        raise BadToken("the token lives too long")
    return expires_at


def _moment(value: Any) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**40:
        raise BadToken("the token does not say when it is valid")
    return datetime.fromtimestamp(value, UTC)


def _key(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
        raise BadToken("the token names no account or user")
    return value


def _domain(issuer: Any) -> str:
    scheme, _, host = str(issuer).partition("://")
    try:
        if scheme == "https":
            return account_domain(host)
    except ForeignHost:
        pass
    raise BadToken("the token was issued elsewhere")
