"""Our side of OpenID Connect: the authorization code flow with PKCE, and what must hold of an ID token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from core import clock, http
from core.crypto import keyed_hash
from core.errors import UserError
from core.settings import get_settings
from domain.single_sign_on import Identity
from gateways.oidc.metadata import Metadata, OidcUnanswered, get_json, metadata_of, read_json
from gateways.oidc.tokens import decoded

EMULATOR_PATH = "/sandbox/oidc"
CALLBACK_PATH = "/sign-in/oidc/callback"
BACK_CHANNEL_LOGOUT_PATH = "/sign-in/oidc/logout"
SANDBOX_CLIENT = "kontora"
LEEWAY_SECONDS = 60
LONGEST_SUBJECT_CHARS = 255
STATE_CHARS, VERIFIER_CHARS = 43, 64


class OidcRefused(UserError):
    """The provider says no, or what it says does not hold: a code that was used, an ID token that is not for us."""

    code = "OIDC_REFUSED"


@dataclass(frozen=True, slots=True)
class Registration:
    """Who we are at a provider."""

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_uri: str
    scopes: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that was sent to the provider.

    Parameters:
        state, nonce, verifier: what the browser must bring back; kept in its cookie until then.
    """

    url: str
    state: str
    nonce: str
    verifier: str


def registration() -> Registration | None:
    """The provider of the settings; in the sandbox, without one, the emulator; else None."""
    settings = get_settings()
    redirect_uri = settings.base_url + CALLBACK_PATH
    if settings.oidc_issuer is not None:
        secret = settings.oidc_client_secret
        return Registration(
            settings.oidc_issuer,
            settings.oidc_client_id or "",
            secret.get_secret_value() if secret else None,
            redirect_uri,
            settings.oidc_scopes,
        )
    if settings.mode == "sandbox":
        issuer = settings.base_url + EMULATOR_PATH
        return Registration(issuer, SANDBOX_CLIENT, sandbox_secret(), redirect_uri, settings.oidc_scopes)
    return None


def sandbox_secret() -> str:
    """Our secret at the emulator."""
    return keyed_hash("client", "oidc_sandbox")


async def begin(ours: Registration) -> Begun:
    """Where to send a browser that wants to sign in.

    Raises:
        OidcUnanswered: see there.
    """
    metadata = await metadata_of(ours.issuer)
    state, nonce, verifier = (generate_token(size) for size in (STATE_CHARS, STATE_CHARS, VERIFIER_CHARS))
    url = prepare_grant_uri(
        metadata.authorization_endpoint,
        client_id=ours.client_id,
        response_type="code",
        redirect_uri=ours.redirect_uri,
        scope=ours.scopes,
        state=state,
        nonce=nonce,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )
    return Begun(str(url), state, nonce, verifier)


async def finish(ours: Registration, *, code: str, nonce: str, verifier: str, issuer: str | None) -> Identity:
    """Who has signed in, from the code that the browser brought.

    Parameters:
        issuer: the `iss` of the redirect, where there was one (RFC 9207).

    Raises:
        OidcRefused, OidcUnanswered: see there.
    """
    metadata = await metadata_of(ours.issuer)
    if (issuer is not None or metadata.names_itself) and issuer != ours.issuer:
        raise OidcRefused("the answer comes from another provider")
    tokens = await _exchange(ours, metadata, code, verifier)
    access_token, id_token = tokens.get("access_token"), tokens.get("id_token")
    if not isinstance(id_token, str) or not isinstance(access_token, str):
        raise OidcRefused("the provider sent no ID token; is `openid` among the scopes?")
    claims = await _proven(ours, metadata, id_token, nonce, access_token)
    if "email" not in claims and metadata.userinfo_endpoint is not None:
        claims = claims | await _userinfo(metadata.userinfo_endpoint, access_token, claims["sub"])
    return _identity(ours.issuer, claims)


async def end_session_url(ours: Registration) -> str | None:
    """Where a person signs out at the provider itself; None where it has no such page (RP-Initiated Logout 1.0)."""
    try:
        endpoint = (await metadata_of(ours.issuer)).end_session_endpoint
    except OidcUnanswered:
        return None
    if endpoint is None:
        return None
    back = get_settings().base_url + "/sign-in"
    return str(httpx.URL(endpoint).copy_merge_params({"client_id": ours.client_id, "post_logout_redirect_uri": back}))


async def _exchange(ours: Registration, metadata: Metadata, code: str, verifier: str) -> dict[str, Any]:
    body = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": ours.redirect_uri,
        "code_verifier": verifier,
    }
    auth = httpx.Auth()
    if ours.client_secret is None:
        body["client_id"] = ours.client_id
    elif "client_secret_basic" in metadata.auth_methods:
        # Both parts are form-encoded first (RFC 6749, 2.3.1).
        auth = httpx.BasicAuth(quote(ours.client_id, safe=""), quote(ours.client_secret, safe=""))
    else:
        body |= {"client_id": ours.client_id, "client_secret": ours.client_secret}
    try:
        async with http.client() as client:
            answer = await client.post(metadata.token_endpoint, data=body, auth=auth)
    except httpx.HTTPError as error:
        raise OidcUnanswered(f"the provider did not answer: {type(error).__name__}") from None
    if answer.status_code in (400, 401):
        raise OidcRefused(f"the provider refused: {str(read_json(answer).get('error'))[:100]}")
    if not answer.is_success:
        raise OidcUnanswered(f"the provider answered {answer.status_code}")
    return read_json(answer)


async def _proven(
    ours: Registration, metadata: Metadata, id_token: str, nonce: str, access_token: str
) -> dict[str, Any]:
    """The claims of an ID token that holds (OpenID Connect Core, 3.1.3.7)."""
    try:
        token = await decoded(metadata, id_token)
        claims = CodeIDToken(
            token.claims,
            token.header,
            {"iss": {"essential": True, "value": ours.issuer}, "aud": {"essential": True, "value": ours.client_id}},
            {"nonce": nonce, "client_id": ours.client_id, "access_token": access_token},
        )
        claims.validate(now=int(clock.now().timestamp()), leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError) as error:
        raise OidcRefused(f"the provider's ID token does not hold: {str(error)[:200]}") from None
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT_CHARS or "\0" in subject:
        raise OidcRefused("the provider's ID token names nobody")
    return dict(claims)


async def _userinfo(url: str, access_token: str, subject: str) -> dict[str, Any]:
    """What some providers tell only when asked; of the person of the ID token and nobody else."""
    told = await get_json(url, bearer=access_token)
    if told.get("sub") != subject:
        raise OidcRefused("the provider told of somebody else")
    return {name: told[name] for name in ("email", "email_verified", "name") if name in told}


def _identity(issuer: str, claims: dict[str, Any]) -> Identity:
    email, name, amr = claims.get("email"), claims.get("name"), claims.get("amr") or []
    sid = claims.get("sid")
    return Identity(
        issuer=issuer,
        subject=claims["sub"],
        email=email if isinstance(email, str) else None,
        email_verified=claims.get("email_verified") is True,
        name=name if isinstance(name, str) else None,
        amr=frozenset(method for method in amr if isinstance(method, str)),
        session=sid if isinstance(sid, str) and sid else None,
    )
