"""The one door to other machines: HTTP clients with time-outs, and a guard against addresses inside our network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache

import httpx

from core import tracing
from core.errors import KontoraError, UserError
from core.settings import get_settings
from core.traced_http import TracedTransport

TIMEOUT_SECONDS = 15.0
LONGEST_URL_CHARS = 2_000
USER_AGENT = "Kontora"
# The only part of IPv6 that is handed out: outside of it are site-local addresses and several ways to write IPv4 ones.
_PUBLIC_V6 = ipaddress.ip_network("2000::/3")
# Registered for special use (IANA), which `is_global` of older Pythons does not know.
_SPECIAL = tuple(ipaddress.ip_network(net) for net in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20"))


class InvalidEndpoint(UserError):
    """The address cannot be an endpoint: not HTTPS, with credentials in it, or inside our network."""

    code = "INVALID_ENDPOINT"


class AddressRefused(KontoraError):
    """The host is unknown or leads to an address inside our network."""

    code = "ADDRESS_REFUSED"


@asynccontextmanager
async def client(*, timeout_seconds: float = TIMEOUT_SECONDS) -> AsyncIterator[httpx.AsyncClient]:
    """A client for services of our choice, such as payment gateways; redirects are not followed."""
    transport = httpx.AsyncHTTPTransport(verify=_tls(), trust_env=False)
    async with _client(transport, timeout_seconds, propagate=False) as made:
        yield made


@asynccontextmanager
async def guarded_client(
    *, timeout_seconds: float = TIMEOUT_SECONDS, propagate: bool = False
) -> AsyncIterator[httpx.AsyncClient]:
    """A client for addresses that users typed (NOT-2): HTTPS to public addresses only, redirects are not followed.

    Parameters:
        propagate: whether the other side is told of the trace; for our own products alone.
    """
    transport = httpx.AsyncHTTPTransport(verify=_tls(), trust_env=False)
    allowed = get_settings().allow_private_endpoints
    guarded = transport if allowed else PublicOnly(transport)
    async with _client(guarded, timeout_seconds, propagate=propagate) as made:
        yield made


def check_endpoint(url: str, field: tuple[str, ...] | None = None) -> str:
    """The URL, fit to be an endpoint; names are resolved at each call to it, not here.

    Raises:
        InvalidEndpoint: not an absolute HTTPS URL, with a user in it, or a private address.
    """
    allowed = get_settings().allow_private_endpoints
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        raise InvalidEndpoint("the endpoint is not a URL", field=field) from None
    if len(url) > LONGEST_URL_CHARS:
        raise InvalidEndpoint(f"the endpoint is longer than {LONGEST_URL_CHARS} characters", field=field)
    if parsed.scheme != "https" and not (allowed and parsed.scheme == "http"):
        raise InvalidEndpoint("the endpoint must begin with https://", field=field)
    if not parsed.host or parsed.userinfo or parsed.fragment:
        raise InvalidEndpoint("the endpoint must be a host and a path, without a user or a fragment", field=field)
    if not allowed and _is_private_name(parsed.host):
        raise InvalidEndpoint("the endpoint must be a public address", field=field)
    return url


class PublicOnly(httpx.AsyncBaseTransport):
    """Resolves the host itself and connects to what it has checked, so that a second answer of DNS changes nothing."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send to the checked address, with the name in TLS and in the Host header.

        Raises:
            AddressRefused: not HTTPS, an unknown host, or one of its addresses is not public.
        """
        if request.url.scheme != "https":
            raise AddressRefused("only HTTPS is called")
        host = request.url.host
        address = await _public_address(host, request.url.port or 443)
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=address)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet, by itself and not by way of another one inside it."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip not in _PUBLIC_V6:
            return False
        ip = inner or ip
    return ip.is_global and not ip.is_multicast and not any(ip in net for net in _SPECIAL)


async def _public_address(host: str, port: int) -> str:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressRefused("the host has no address") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(is_public(address) for address in addresses):
        raise AddressRefused("the host leads to a private address")
    return addresses[0]


def _is_private_name(host: str) -> bool:
    try:
        return not is_public(host)
    except ValueError:
        host = host.removesuffix(".")
        return host == "localhost" or "." not in host or host.endswith((".localhost", ".local", ".internal"))


def _client(transport: httpx.AsyncBaseTransport, timeout_seconds: float, *, propagate: bool) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=TracedTransport(transport, propagate=propagate) if tracing.is_on() else transport,
        timeout=timeout_seconds,
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": USER_AGENT},
    )


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()
