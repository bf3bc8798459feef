"""What a provider publishes, kept for a while: its endpoints (OpenID Connect Discovery) and its keys (JWKS)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from authlib.oidc.discovery import get_well_known_url
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from core import http
from core.errors import KontoraError
from core.settings import get_settings

KEPT_SECONDS = 3_600.0
# Whoever forges tokens with unknown keys has the provider asked no more often than this.
ASKED_AGAIN_SECONDS = 10.0
LARGEST_ANSWER_BYTES = 500_000

_kept: dict[str, tuple[float, Any]] = {}


class OidcUnanswered(KontoraError):
    """The provider did not answer, or with something that OpenID Connect does not know."""

    code = "OIDC_UNANSWERED"


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where a provider's doors are.

    Parameters:
        auth_methods: how its token endpoint takes the client's secret.
        names_itself: whether it says in the redirect who it is (RFC 9207).
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    auth_methods: frozenset[str]
    names_itself: bool


async def metadata_of(issuer: str) -> Metadata:
    """The doors of a provider.

    Raises:
        OidcUnanswered: see there; also where it claims to be another issuer.
    """
    url = get_well_known_url(issuer, external=True)
    found: Metadata | None = _fresh(url)
    if found is None:
        found = _metadata(await get_json(url), issuer)
        _kept[url] = time.monotonic(), found
    return found


async def keys_of(metadata: Metadata, *, again: bool = False) -> KeySet:
    """The keys that a provider signs with.

    Parameters:
        again: ask even if they are known, as after a signature with an unknown key; not if they were a moment ago.

    Raises:
        OidcUnanswered: see there.
    """
    url = metadata.jwks_uri
    found: KeySet | None = _fresh(url, ASKED_AGAIN_SECONDS if again else KEPT_SECONDS)
    if found is None:
        told = await get_json(url)
        try:
            found = KeySet.import_key_set(told)  # type: ignore[arg-type]
        except (JoseError, KeyError, TypeError, ValueError):
            raise OidcUnanswered("the provider's keys cannot be read") from None
        _kept[url] = time.monotonic(), found
    return found


def forget() -> None:
    """Ask anew for everything; for tests."""
    _kept.clear()


async def get_json(url: str, *, bearer: str | None = None) -> dict[str, Any]:
    """What a provider answers to a GET.

    Raises:
        OidcUnanswered: see there.
    """
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
    try:
        async with http.client() as client:
            answer = await client.get(url, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OidcUnanswered(f"the provider did not answer: {type(error).__name__}") from None
    if not answer.is_success:
        raise OidcUnanswered(f"the provider answered {answer.status_code}")
    return read_json(answer)


def read_json(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer.

    Raises:
        OidcUnanswered: it is none, or too large.
    """
    if len(answer.content) > LARGEST_ANSWER_BYTES:
        raise OidcUnanswered("the provider's answer is too large")
    try:
        told = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict):
        raise OidcUnanswered("the provider answered with something that is not a JSON object")
    return told


def _fresh(url: str, seconds: float = KEPT_SECONDS) -> Any:
    at, found = _kept.get(url, (0.0, None))
    return found if found is not None and time.monotonic() - at < seconds else None


def _metadata(told: dict[str, Any], issuer: str) -> Metadata:
    if told.get("issuer") != issuer:
        raise OidcUnanswered("the provider says that it is another issuer than KONTORA_OIDC_ISSUER")
    methods = told.get("token_endpoint_auth_methods_supported")
    return Metadata(
        issuer=issuer,
        authorization_endpoint=_door(told, "authorization_endpoint"),
        token_endpoint=_door(told, "token_endpoint"),
        jwks_uri=_door(told, "jwks_uri"),
        userinfo_endpoint=_door(told, "userinfo_endpoint") if told.get("userinfo_endpoint") else None,
        end_session_endpoint=_door(told, "end_session_endpoint") if told.get("end_session_endpoint") else None,
        auth_methods=frozenset(methods if isinstance(methods, list) else ["client_secret_basic"]),
        names_itself=told.get("authorization_response_iss_parameter_supported") is True,
    )


def _door(told: dict[str, Any], name: str) -> str:
    found = told.get(name)
    allowed = ("https://", "http://") if get_settings().mode == "sandbox" else ("https://",)
    if not isinstance(found, str) or not found.startswith(allowed):
        raise OidcUnanswered(f"the provider's {name} is no https:// address")
    return found
