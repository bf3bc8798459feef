"""Whether a request was made on this machine itself: a sandbox shows its own machine more than others (MON-2)."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

from core.settings import get_settings

# What proxies add to a request that they pass on.
PASSED_ON = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


def from_this_machine(request: Request) -> bool:
    """Whether a sandbox on this machine was asked by somebody on it, and not through a proxy on it.

    A proxy beside us has this machine's address like everybody else here. So the request must also name this machine,
    as pages of other sites cannot make it do, carry no proxy's header, and `KONTORA_PUBLIC_URL` must not lead here
    from elsewhere: a proxy that hides itself is set up for such an address.
    """
    if get_settings().mode != "sandbox" or any(name in request.headers for name in PASSED_ON):
        return False
    peer = request.client.host if request.client is not None else None
    return all(_is_here(host) for host in (peer, request.url.hostname, urlsplit(get_settings().base_url).hostname))


def _is_here(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return False
    # Whoever listens on all addresses names none of them.
    return address.is_loopback or address.is_unspecified
