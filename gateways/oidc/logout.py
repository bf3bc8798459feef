"""What a provider says when a person signs out there: logout tokens (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from joserfc.errors import JoseError

from core import clock
from domain.single_sign_on import Logout
from gateways.oidc.client import LEEWAY_SECONDS, OidcRefused, Registration
from gateways.oidc.metadata import metadata_of
from gateways.oidc.tokens import decoded

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYPES = frozenset({None, "jwt", "logout+jwt", "application/logout+jwt"})
LONGEST_CHARS = 255
# A token that is delivered later than this was kept back by somebody.
LONGEST_LIFE_SECONDS = 600


async def read_logout(ours: Registration, token: str) -> Logout:
    """The logout that a token tells of, proven in every respect but its single use (2.6).

    Raises:
        OidcRefused, OidcUnanswered: see there.
    """
    try:
        found = await decoded(await metadata_of(ours.issuer), token)
    except (JoseError, ValueError, TypeError):
        raise OidcRefused("the logout token's signature does not hold") from None
    claims, kind = found.claims, found.header.get("typ")
    now = clock.now().timestamp()
    issued_at, expires_at = _moment(claims, "iat"), _moment(claims, "exp")
    audience, events = claims.get("aud"), claims.get("events")
    held: dict[str, bool] = {
        "typ": (kind.lower() if isinstance(kind, str) else kind) in TYPES,
        "iss": claims.get("iss") == ours.issuer,
        "aud": ours.client_id in (audience if isinstance(audience, list) else [audience]),
        "iat": issued_at is not None and now - LONGEST_LIFE_SECONDS < issued_at <= now + LEEWAY_SECONDS,
        "exp": expires_at is not None and now - LEEWAY_SECONDS < expires_at,
        "jti": _text(claims, "jti") is not None,
        "events": isinstance(events, dict) and isinstance(events.get(LOGOUT_EVENT), dict),
        "nonce": "nonce" not in claims,
        "sub": "sub" in claims or "sid" in claims,
        **{name: name not in claims or _text(claims, name) is not None for name in ("sub", "sid") if name in claims},
    }
    wrong = next((name for name, holds in held.items() if not holds), None)
    if wrong is not None or issued_at is None:
        raise OidcRefused(f"the logout token does not hold: {wrong}")
    return Logout(
        issuer=ours.issuer,
        subject=_text(claims, "sub"),
        session=_text(claims, "sid"),
        number=_text(claims, "jti") or "",
        issued_at=datetime.fromtimestamp(issued_at, UTC),
    )


def _moment(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2**40 else None


def _text(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_CHARS and "\0" not in value else None
