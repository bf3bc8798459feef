"""Calls amoCRM and Kommo: OAuth tokens, account and users; at most seven calls a second an integration."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import orjson

from core import clock, http
from core.errors import KontoraError, UserError
from core.settings import get_settings
from gateways.amocrm.hosts import account_domain

EMULATOR_PATH = "/sandbox/amocrm"
CALLS_A_SECOND = 7
# Calls drift on the way; a little slower keeps each second on the far side to its seven.
MARGIN = 1.15
PAGE = 250
MOST_PAGES = 40
LONGEST_TOKEN_LIFE = timedelta(days=30)
# Answers that say no for good. Others, such as the 403 of a block for too many calls, end by themselves.
_NO = frozenset({400, 401})
# An account that is not paid for, or a person who may not list people, says no too.
_NO_TO_USERS = frozenset({400, 401, 402, 403})
TOO_MANY = 429
TRIES_AFTER_TOO_MANY = 2
LONGEST_PATIENCE_SECONDS = 3.0

_turns: defaultdict[tuple[int, str], list[float]] = defaultdict(lambda: [0.0])


class AmoCrmRefused(UserError):
    """amoCRM says no: a code or refresh token that is used, expired or another integration's, or wrong keys.

    Parameters:
        status: the HTTP status.
    """

    code = "AMOCRM_REFUSED"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class AmoCrmUnanswered(KontoraError):
    """No answer came, or one that asks for patience; what was done there is unknown.

    Parameters:
        status: the HTTP status; None where nothing came.
    """

    code = "AMOCRM_UNANSWERED"

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Integration:
    """One integration: a product of ours at amoCRM."""

    client_uuid: str
    client_secret: str
    redirect_uri: str


@dataclass(frozen=True)
class Tokens:
    """A pair of tokens; the refresh token is good for one use."""

    access_token: str
    refresh_token: str
    expires_at: datetime


@dataclass(frozen=True)
class Account:
    """An account of the CRM.

    Parameters:
        current_user_id: who authorised us.
    """

    id: int
    name: str
    subdomain: str
    current_user_id: int


@dataclass(frozen=True)
class CrmUser:
    """A person in an account."""

    id: int
    name: str
    email: str | None


class AmoCrm:
    """One account, called by one integration.

    Parameters:
        domain: the account's domain.

    Raises:
        ForeignHost: the domain is not amoCRM's; secrets would be sent elsewhere.
    """

    def __init__(self, domain: str, integration: Integration) -> None:
        self._base = _base(account_domain(domain))
        self._integration = integration

    async def exchange(self, code: str) -> Tokens:
        """Tokens for the code of a redirect; a code is good once, for 20 minutes.

        Raises:
            AmoCrmRefused, AmoCrmUnanswered: see there.
        """
        return await self._tokens({"grant_type": "authorization_code", "code": code})

    async def refresh(self, refresh_token: str) -> Tokens:
        """Fresh tokens. The old refresh token goes on working until the new one is first used (docs, OAuth 2.0).

        Raises:
            AmoCrmRefused, AmoCrmUnanswered: see there.
        """
        return await self._tokens({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def current_domain(self, access_token: str, refresh_token: str) -> tuple[int, str]:
        """Number and domain now of an account that may have moved; its tokens say which machine knows.

        Raises:
            AmoCrmRefused, AmoCrmUnanswered: see there.
            ForeignHost: the machine or the domain is not amoCRM's.
        """
        machine = AmoCrm(account_domain(_api_domain(access_token)), self._integration)
        told = await machine._call(
            "GET", "/oauth2/account/current/subdomain", headers={"X-Refresh-Token": refresh_token}
        )
        try:
            return int(told["id"]), account_domain(str(told["domain"]))
        except (KeyError, TypeError, ValueError):
            raise AmoCrmUnanswered("amoCRM answered with something that is not a domain") from None

    async def account(self, access_token: str) -> Account:
        """The account itself."""
        told = await self._get("/api/v4/account", access_token)
        try:
            return Account(int(told["id"]), str(told["name"]), str(told["subdomain"]), int(told["current_user_id"]))
        except (KeyError, TypeError, ValueError):
            raise AmoCrmUnanswered("amoCRM answered with something that is not an account") from None

    async def users(self, access_token: str) -> list[CrmUser]:
        """All people in the account; only administrators' tokens may ask."""
        found: list[CrmUser] = []
        for page in range(1, MOST_PAGES + 1):
            told = await self._get(f"/api/v4/users?limit={PAGE}&page={page}", access_token, _NO_TO_USERS)
            users = told.get("_embedded", {}).get("users", [])
            found += [CrmUser(int(user["id"]), str(user["name"]), user.get("email") or None) for user in users]
            if len(users) < PAGE:
                break
        return found

    async def _tokens(self, grant: Mapping[str, str]) -> Tokens:
        integration = self._integration
        body = {
            "client_id": integration.client_uuid,
            "client_secret": integration.client_secret,
            "redirect_uri": integration.redirect_uri,
            **grant,
        }
        asked_at = clock.now()
        told = await self._call("POST", "/oauth2/access_token", json=body)
        try:
            life = timedelta(seconds=int(told["expires_in"]))
            tokens = Tokens(str(told["access_token"]), str(told["refresh_token"]), asked_at + life)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise AmoCrmUnanswered("amoCRM answered with something that is not tokens") from None
        if not timedelta(0) < life <= LONGEST_TOKEN_LIFE:
            raise AmoCrmUnanswered("amoCRM answered with tokens of an impossible life")
        return tokens

    async def _get(self, path: str, access_token: str, no: frozenset[int] = _NO) -> dict[str, Any]:
        return await self._call("GET", path, no, headers={"Authorization": f"Bearer {access_token}"})

    async def _call(self, method: str, path: str, no: frozenset[int] = _NO, **more: Any) -> dict[str, Any]:
        answer = await self._patiently(method, path, **more)
        if answer.status_code == 204:
            return {}
        try:
            told = orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            told = None
        if answer.status_code in no:
            detail = told.get("hint") or told.get("detail") or told.get("title") if isinstance(told, dict) else None
            raise AmoCrmRefused(f"amoCRM answered {answer.status_code}: {str(detail)[:200]}", answer.status_code)
        if not answer.is_success:
            raise AmoCrmUnanswered(f"amoCRM answered {answer.status_code}", answer.status_code)
        if not isinstance(told, dict):
            raise AmoCrmUnanswered("amoCRM answered with something that is not JSON")
        return told

    async def _patiently(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer; a call that came too soon was not looked at, so it is sent again a little later."""
        for left in range(TRIES_AFTER_TOO_MANY, -1, -1):
            await _take_turn(self._integration.client_uuid)
            try:
                async with http.client() as client:
                    answer = await client.request(method, self._base + path, **more)
            except httpx.HTTPError as error:
                raise AmoCrmUnanswered(f"amoCRM did not answer: {type(error).__name__}") from error
            if answer.status_code != TOO_MANY or left == 0:
                break
            await asyncio.sleep(_patience(answer.headers.get("retry-after")))
        return answer


def _patience(retry_after: str | None) -> float:
    asked = float(retry_after) if retry_after is not None and retry_after.isdecimal() else 1.0
    return min(asked, LONGEST_PATIENCE_SECONDS)


def _api_domain(access_token: str) -> str:
    """What the token says of itself, unproven: it is only called if it is amoCRM's."""
    try:
        payload = access_token.split(".")[1]
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["api_domain"])
    except (IndexError, KeyError, TypeError, ValueError):
        return ""


def _base(domain: str) -> str:
    settings = get_settings()
    if settings.amocrm == "live":
        return f"https://{domain}"
    return f"{settings.amocrm_emulator_url or settings.base_url + EMULATOR_PATH}/{domain}"


async def _take_turn(client_uuid: str) -> None:
    """Wait until another call of the integration keeps to its limit; other processes are told by a 429."""
    turn = _turns[id(asyncio.get_running_loop()), client_uuid]
    now = time.monotonic()
    turn[0] = max(now, turn[0] + MARGIN / CALLS_A_SECOND)
    if turn[0] > now:
        await asyncio.sleep(turn[0] - now)
