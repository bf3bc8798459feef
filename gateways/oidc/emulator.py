"""A provider of single sign-on for the sandbox and the tests: Authlib's authorization server, and misbehaviour.

The protocol is Authlib's: the code is bound to client, redirect and PKCE challenge, good once. What is ours is the page
where a person signs in, and that it can be told to lie.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any

from authlib.common.security import generate_token
from authlib.oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import OAuth2Payload, OAuth2Request
from authlib.oauth2.rfc6749.errors import OAuth2Error
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode, UserInfo
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import KeySet, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from core import clock
from gateways.oidc.accounts import Client, Code, Person

TOKEN_SECONDS = 300
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
FORM_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
}
FORM = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sandbox sign-on</title></head><body>
<h1>Sandbox sign-on</h1><p>{problem}</p><form method="post"><label>Email <input name="email" type="email"
 value="{email}" required></label> <label>Password <input name="password" type="password" required></label>
<button>Continue</button></form></body></html>"""


PersonOf = Callable[[str, str], Awaitable[Person | None]]


@dataclass
class Lies:
    """How the provider misbehaves.

    Parameters:
        claims: replace those of a good ID token.
        algorithm: of the signature; `none` and `HS256` are what attackers try.
        quiet: the ID token tells no email; userinfo does.
        statuses: what the next calls of the token endpoint answer instead.
    """

    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    quiet: bool = False
    statuses: list[int] = field(default_factory=list)


class OidcEmulator:
    """A provider with one client.

    Parameters:
        person_of: who has this email and password there.
    """

    def __init__(self, issuer: str, client: Client, person_of: PersonOf) -> None:
        self.issuer = issuer
        self.client = client
        self.person_of = person_of
        self.lies = Lies()
        self.codes: dict[str, Code] = {}
        self.tokens: dict[str, Person] = {}
        self.calls: list[str] = []
        self._server = _Server(self)
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/jwks", self._jwks),
                Route("/authorize", self._authorize, methods=["GET", "POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
                Route("/end-session", self._end_session),
            ]
        )

    @cached_property
    def key(self) -> RSAKey:
        """What it signs with; made when first needed, for it takes a while."""
        return _new_key()

    def rotate(self, kid: str | None = None) -> None:
        """Sign with a fresh key; the old one is published no more. A forger would keep its ``kid``."""
        self.key = _new_key(kid)

    def logout_token(self, **claims: Any) -> str:
        """What the provider would send when somebody signs out; a claim that is None is left out."""
        now = int(clock.now().timestamp())
        told = {
            **{"iss": self.issuer, "aud": self.client.client_id, "iat": now, "exp": now + TOKEN_SECONDS},
            **{"jti": generate_token(20), "events": {LOGOUT_EVENT: {}}, **claims},
        }
        header = {"alg": self.lies.algorithm, "kid": self.key.kid, "typ": "logout+jwt"}
        kept = {name: value for name, value in told.items() if value is not None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            return jwt.encode(header, kept, self.signs_with(), algorithms=[self.lies.algorithm])

    def signs_with(self) -> Any:
        """Its key; or what an attacker has who takes the client's secret for the key of an HMAC."""
        return OctKey.import_key(self.client.client_secret) if self.lies.algorithm == "HS256" else self.key

    async def _configuration(self, _request: Request) -> Response:
        self.calls.append("configuration")
        doors = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "jwks_uri": "jwks",
            "userinfo_endpoint": "userinfo",
            "end_session_endpoint": "end-session",
        }
        return JSONResponse(
            {
                "issuer": self.issuer,
                **{name: f"{self.issuer}/{path}" for name, path in doors.items()},
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
                "backchannel_logout_supported": True,
                "backchannel_logout_session_supported": True,
            }
        )

    async def _jwks(self, _request: Request) -> Response:
        self.calls.append("jwks")
        return JSONResponse(KeySet([self.key]).as_dict())

    async def _authorize(self, request: Request) -> Response:
        form = dict(await request.form()) if request.method == "POST" else {}
        asked = _Asked(request, {}, dict(request.query_params))
        try:
            grant = self._server.get_authorization_grant(asked)
            grant.validate_authorization_request()
        except OAuth2Error as error:
            return self._answer(self._server.handle_error_response(asked, error))
        email = str(form.get("email") or request.query_params.get("login_hint") or "")
        person = await self.person_of(email, str(form.get("password", ""))) if form else None
        if person is None:
            problem = "Email or password is wrong." if form else ""
            return HTMLResponse(
                FORM.format(problem=problem, email=escape(email)), headers={"Cache-Control": "no-store"}
            )
        return self._answer(self._server.create_authorization_response(asked, grant_user=person, grant=grant))

    async def _token(self, request: Request) -> Response:
        self.calls.append("token")
        if self.lies.statuses:
            return JSONResponse({"error": "temporarily_unavailable"}, self.lies.statuses.pop(0))
        form = {name: str(value) for name, value in (await request.form()).items()}
        return self._answer(self._server.create_token_response(_Asked(request, form, {})))

    async def _userinfo(self, request: Request) -> Response:
        self.calls.append("userinfo")
        person = self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if person is None:
            return JSONResponse({"error": "invalid_token"}, 401, {"WWW-Authenticate": "Bearer"})
        return JSONResponse({**told_of(person), **self.lies.userinfo})

    async def _end_session(self, request: Request) -> Response:
        back = request.query_params.get("post_logout_redirect_uri", "")
        known = request.query_params.get("client_id") == self.client.client_id and back == self.client.after_sign_out
        return RedirectResponse(back, 303) if known else HTMLResponse("<h1>Signed out</h1>")

    @staticmethod
    def _answer(told: tuple[int, Any, Any]) -> Response:
        status, body, headers = told
        kept = dict(headers)
        if isinstance(body, dict):
            return JSONResponse(body, status, kept)
        return Response(body, status, kept)


def _new_key(kid: str | None = None) -> RSAKey:
    return RSAKey.generate_key(2048, {"use": "sig", **({"kid": kid} if kid else {})}, auto_kid=kid is None)


def told_of(person: Person) -> dict[str, Any]:
    """The claims of a person."""
    return {
        "sub": person.subject,
        "email": person.email,
        "email_verified": person.email_verified,
        "name": person.name,
    }


class _Payload(OAuth2Payload):
    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    @property
    def data(self) -> dict[str, str]:
        return self._values

    @cached_property
    def datalist(self) -> defaultdict[str, list[str]]:
        return defaultdict(list, {name: [value] for name, value in self._values.items()})


class _Asked(OAuth2Request):
    """A request as Authlib reads it."""

    def __init__(self, request: Request, form: dict[str, str], query: dict[str, str]) -> None:
        # Authlib insists on TLS, and the sandbox has none.
        super().__init__(request.method, str(request.url.replace(scheme="https")), headers=_Headers(request))
        self._values = form
        self._query = query
        self.payload = _Payload(form or query)

    @property
    def args(self) -> dict[str, str]:
        return self._query

    @property
    def form(self) -> dict[str, str]:
        return self._values


class _Headers(dict[str, str]):
    """Headers under the one name that Authlib looks up."""

    def __init__(self, request: Request) -> None:
        told = request.headers.get("authorization")
        super().__init__({} if told is None else {"Authorization": told})


class _Server(AuthorizationServer):
    def __init__(self, emulator: OidcEmulator) -> None:
        super().__init__(scopes_supported=["openid", "email", "profile"])
        self.emulator = emulator
        self.register_token_generator(
            "default",
            BearerTokenGenerator(lambda **_: generate_token(42), expires_generator=TOKEN_SECONDS),
        )
        self.register_grant(_CodeGrant, [_IdTokens(emulator), CodeChallenge(required=True)])

    def query_client(self, client_id: str) -> Client | None:
        return self.emulator.client if client_id == self.emulator.client.client_id else None

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        self.emulator.tokens[token["access_token"]] = request.user

    def create_oauth2_request(self, request: Any) -> OAuth2Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, Any, Any]:
        return status, body, headers

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""


class _CodeGrant(AuthorizationCodeGrant):
    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        data = request.payload.data
        self.server.emulator.codes[code] = Code(
            code,
            request.user,
            request.payload.redirect_uri,
            request.scope,
            data.get("nonce"),
            data.get("code_challenge"),
            data.get("code_challenge_method"),
            int(clock.now().timestamp()),
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        found: Code | None = self.server.emulator.codes.get(code)
        return found

    def delete_authorization_code(self, authorization_code: Code) -> None:
        del self.server.emulator.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> Person:
        return authorization_code.person


class _IdTokens(OpenIDCode):
    def __init__(self, emulator: OidcEmulator) -> None:
        super().__init__(require_nonce=True)
        self.emulator = emulator

    def exists_nonce(self, nonce: str, request: OAuth2Request) -> bool:
        return any(code.nonce == nonce for code in self.emulator.codes.values())

    def get_client_algorithm(self, client: Client) -> str:
        return self.emulator.lies.algorithm

    def get_encode_header(self, client: Client) -> dict[str, Any]:
        return {"alg": self.emulator.lies.algorithm, "kid": self.emulator.key.kid}

    def resolve_client_private_key(self, client: Client) -> Any:
        return self.emulator.signs_with()

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        now = int(clock.now().timestamp())
        return {"iss": self.emulator.issuer, "aud": [client.client_id], "iat": now, "exp": now + TOKEN_SECONDS}

    def encode_id_token(self, token: dict[str, Any], request: OAuth2Request) -> str:
        with warnings.catch_warnings():
            # That some algorithms are unsafe is what the lies are for.
            warnings.simplefilter("ignore", SecurityWarning)
            made: str = super().encode_id_token(token, request)
        return made

    def generate_user_info(self, user: Person, scope: str) -> UserInfo:
        told = {"sub": user.subject} if self.emulator.lies.quiet else told_of(user)
        # These are merged last, over what the library says by itself.
        return UserInfo({**UserInfo(told).filter(scope), **self.emulator.lies.claims})
