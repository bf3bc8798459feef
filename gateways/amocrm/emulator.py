"""A faithful local amoCRM: rotating tokens, codes that are good once, signed hooks, one-time tokens, and misbehaviour.

Source: developers.kommo.com, "OAuth 2.0", "Disable hook", "One-time token"; limits of the API.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateways.amocrm.desk import Desk
from gateways.amocrm.signatures import hook_signature

ACCESS_SECONDS = 86_400
CODE_SECONDS = 20 * 60
CALLS_A_SECOND = 7
API_DOMAIN = "api-b.amocrm.ru"
FIRST_ACCOUNT = 30_896_271

SecretOf = Callable[[str], Awaitable[str | None]]


@dataclass
class EmulatedGrant:
    """What an account has granted an integration.

    Parameters:
        refresh_token: the one that is to be used next.
        spare: the one before it, which works until the next one is first used.
    """

    client_uuid: str
    domain: str
    access_token: str = ""
    expires_at: float = 0.0
    refresh_token: str = ""
    spare: str = ""
    revoked: bool = False


@dataclass
class EmulatedAccount:
    """An account with its people."""

    id: int
    domain: str
    name: str
    users: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Code:
    grant: EmulatedGrant
    until: float
    used: bool = False


class AmoCrmEmulator:
    """All accounts of amoCRM.

    Parameters:
        secret_of: the client secret of an integration, None where there is none.
        redirect_uri: where codes are sent.
        disabled_uri: where the desk tells that access was withdrawn.
    """

    def __init__(self, secret_of: SecretOf, redirect_uri: str, disabled_uri: str = "") -> None:
        self.secret_of = secret_of
        self.redirect_uri = redirect_uri
        self.accounts: dict[str, EmulatedAccount] = {}
        self.grants: list[EmulatedGrant] = []
        self.calls: list[str] = []
        self.lost_answers = 0
        self.internal_errors = 0
        self.next_statuses: list[int] = []
        self.refused_paths: set[str] = set()
        self.slow_seconds = 0.0
        self.limited = True
        # The docs say both that the refresh token before the last one still works and that it does not.
        self.spares_work = True
        self._signing_key = secrets.token_hex(32)
        self._codes: dict[str, _Code] = {}
        self._recent: dict[str, list[float]] = {}
        self.app = Starlette(
            routes=[
                *Desk(self, disabled_uri).routes(),
                Route("/{domain}/oauth2/access_token", self._access_token, methods=["POST"]),
                Route("/{domain}/oauth2/account/current/subdomain", self._current_domain, methods=["GET"]),
                Route("/{domain}/api/v4/account", self._account, methods=["GET"]),
                Route("/{domain}/api/v4/users", self._users, methods=["GET"]),
            ]
        )

    def account(self, domain: str) -> EmulatedAccount:
        """The account of a domain; made with one administrator where there is none."""
        if domain not in self.accounts:
            number = FIRST_ACCOUNT + len(self.accounts)
            name = domain.partition(".")[0].capitalize()
            admin = {"id": 8_375_357 + number, "name": f"Admin of {name}", "email": f"admin@{domain}", "lang": "ru"}
            self.accounts[domain] = EmulatedAccount(number, domain, name, [admin])
        return self.accounts[domain]

    def install(self, domain: str, client_uuid: str) -> str:
        """Install an integration in an account; gives the code that the redirect carries."""
        self.account(domain)
        grant = EmulatedGrant(client_uuid, domain)
        self.grants.append(grant)
        code = f"def502{secrets.token_hex(24)}"
        self._codes[code] = _Code(grant, time.time() + CODE_SECONDS)
        return code

    def redirect(self, domain: str, client_uuid: str, code: str, state: str = "") -> dict[str, str]:
        """The query of the redirect."""
        return {"code": code, "referer": domain, "client_id": client_uuid, "state": state, "from_widget": "1"}

    def move(self, domain: str, to: str) -> None:
        """Give an account another domain; the old one is nobody's then."""
        account = self.accounts.pop(domain)
        account.domain = to
        self.accounts[to] = account
        for grant in self.grants:
            if grant.domain == domain:
                grant.domain = to

    async def uninstall(self, domain: str, client_uuid: str) -> dict[str, str]:
        """Uninstall an integration: its tokens end; gives the query of the signed hook."""
        for grant in self.grants:
            if (grant.domain, grant.client_uuid) == (domain, client_uuid):
                grant.revoked = True
        account_id = str(self.account(domain).id)
        secret = await self.secret_of(client_uuid) or ""
        signature = hook_signature(client_uuid, account_id, secret)
        return {"client_uuid": client_uuid, "account_id": account_id, "signature": signature}

    async def widget_token(self, domain: str, client_uuid: str, audience: str, **claims: Any) -> str:
        """A one-time token as a widget sends it; ``claims`` replace or, where None, remove those of a good one."""
        now = int(time.time())
        told: dict[str, Any] = {
            "iss": f"https://{domain}",
            "aud": audience,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "nbf": now,
            "exp": now + 1800,
            "account_id": self.account(domain).id,
            "subdomain": domain.partition(".")[0],
            "client_uuid": client_uuid,
            "user_id": self.account(domain).users[0]["id"],
            "is_admin": True,
            **claims,
        }
        secret = await self.secret_of(client_uuid) or ""
        body = {name: value for name, value in told.items() if value is not None}
        return jwt.encode({"alg": "HS256", "typ": "JWT"}, body, OctKey.import_key(secret))

    async def _access_token(self, request: Request) -> Response:
        self.calls.append("access_token")
        body = await request.json()
        domain, client = request.path_params["domain"], body.get("client_id")
        trouble = await self._trouble(str(client))
        if trouble is not None:
            return trouble
        if domain not in self.accounts:
            return _problem(404, "Not Found", "there is no such account")
        if (
            body.get("client_secret") != await self.secret_of(str(client))
            or body.get("redirect_uri") != self.redirect_uri
        ):
            return _problem(400, "Некорректный запрос", "Client authentication failed")
        grant = self._grant_of(body, domain, str(client))
        if grant is None:
            return _problem(400, "Некорректный запрос", "Token has been revoked, used or expired")
        claims = {"api_domain": API_DOMAIN, "jti": secrets.token_hex(20)}
        grant.access_token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(self._signing_key))
        grant.refresh_token = f"def50200{secrets.token_hex(40)}"
        grant.expires_at = time.time() + ACCESS_SECONDS
        if self.lost_answers:
            self.lost_answers -= 1
            return _problem(502, "Bad Gateway", "the answer was lost")
        return JSONResponse(
            {
                "token_type": "Bearer",
                "expires_in": ACCESS_SECONDS,
                "access_token": grant.access_token,
                "refresh_token": grant.refresh_token,
            }
        )

    def _grant_of(self, body: dict[str, Any], domain: str, client: str) -> EmulatedGrant | None:
        if body.get("grant_type") == "authorization_code":
            code = self._codes.get(str(body.get("code")))
            if code is None or code.used or code.until < time.time():
                return None
            if (code.grant.domain, code.grant.client_uuid) != (domain, client):
                return None
            code.used = True
            return code.grant
        asked = str(body.get("refresh_token"))
        for grant in self.grants:
            if grant.revoked or (grant.domain, grant.client_uuid) != (domain, client):
                continue
            if asked == grant.refresh_token:
                grant.spare = asked
                return grant
            # The answer may have been lost, so the one before works until the new one is first used.
            if asked == grant.spare and self.spares_work:
                return grant
        return None

    async def _current_domain(self, request: Request) -> Response:
        self.calls.append("subdomain")
        asked = request.headers.get("x-refresh-token")
        if request.path_params["domain"] == API_DOMAIN:
            for grant in self.grants:
                if asked and asked == grant.refresh_token and not grant.revoked:
                    name, _, rest = grant.domain.partition(".")
                    number = self.accounts[grant.domain].id
                    told = {"id": number, "subdomain": name, "domain": grant.domain}
                    return JSONResponse({**told, "top_level_domain": rest.rpartition(".")[2]})
        return _problem(401, "Unauthorized", "Unauthorized")

    async def _account(self, request: Request) -> Response:
        grant = await self._authorised(request)
        if isinstance(grant, Response):
            return grant
        account = self.account(grant.domain)
        return JSONResponse(
            {
                "id": account.id,
                "name": account.name,
                "subdomain": account.domain.partition(".")[0],
                "current_user_id": account.users[0]["id"],
                "country": "RU",
                "currency": "RUB",
            }
        )

    async def _users(self, request: Request) -> Response:
        grant = await self._authorised(request)
        if isinstance(grant, Response):
            return grant
        users = self.account(grant.domain).users
        limit, page = int(request.query_params.get("limit", "50")), int(request.query_params.get("page", "1"))
        chosen = users[(page - 1) * limit : page * limit]
        if not chosen:
            return Response(status_code=204)
        return JSONResponse({"_total_items": len(users), "_page": page, "_embedded": {"users": chosen}})

    async def _authorised(self, request: Request) -> EmulatedGrant | Response:
        self.calls.append(request.url.path.rpartition("/")[2])
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        for grant in self.grants:
            if token and grant.access_token == token and grant.domain == request.path_params["domain"]:
                trouble = await self._trouble(grant.client_uuid)
                if trouble is not None:
                    return trouble
                if grant.revoked or grant.expires_at < time.time():
                    break
                # Using what a refresh gave ends the token before it.
                grant.spare = ""
                if self.calls[-1] in self.refused_paths:
                    return _problem(403, "Forbidden", "only administrators may")
                return grant
        return _problem(401, "Unauthorized", "Unauthorized")

    async def _trouble(self, client: str) -> Response | None:
        await asyncio.sleep(self.slow_seconds)
        if self.internal_errors:
            self.internal_errors -= 1
            return _problem(500, "Internal Server Error", "try later")
        if self.next_statuses:
            return _problem(self.next_statuses.pop(0), "Trouble", "as you wished")
        now = time.monotonic()
        recent = self._recent[client] = [moment for moment in self._recent.get(client, []) if moment > now - 1]
        recent.append(now)
        if self.limited and len(recent) > CALLS_A_SECOND:
            return _problem(429, "Too Many Requests", "at most 7 requests a second")
        return None


def _problem(status: int, title: str, hint: str) -> Response:
    body = {"title": title, "status": status, "hint": hint, "detail": hint}
    return JSONResponse(body, status, media_type="application/problem+json")
