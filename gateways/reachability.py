"""The outside services that this installation is set to call, each with a question whether it is there (MON-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from urllib.parse import urlsplit

import httpx

from core import http
from core.settings import get_settings
from gateways.interface import GatewayUnanswered
from gateways.registry import gateway

ASK_SECONDS = 5.0
AMOCRM_URL = "https://www.amocrm.ru/"

Question = Callable[[], Awaitable[None]]


def questions() -> Mapping[str, Question]:
    """A question a service, under its name; it raises GatewayUnanswered where no answer comes.

    The amoCRM emulator of the sandbox is this product itself and is not asked.
    """
    settings = get_settings()
    asked: dict[str, Question] = {settings.gateway: gateway().ping}
    if settings.tbank_terminal_key and settings.tbank_password:
        asked["tbank"] = gateway("tbank").ping
    amocrm = AMOCRM_URL if settings.amocrm == "live" else settings.amocrm_emulator_url
    if amocrm is not None:
        asked["amocrm"] = partial(_ask_http, amocrm)
    if settings.smtp_host:
        asked["smtp"] = partial(_ask_tcp, settings.smtp_host, settings.smtp_port)
    if settings.storage == "s3" and settings.s3_bucket_url:
        asked["s3"] = partial(_ask_http, settings.s3_bucket_url)
    if settings.clamav:
        asked["clamav"] = partial(_ask_address, settings.clamav)
    return asked


async def _ask_http(url: str) -> None:
    """Any answer that is not the server's own failure counts; nothing is asked of it."""
    try:
        async with http.client(timeout_seconds=ASK_SECONDS) as client:
            answer = await client.get(url)
    except httpx.HTTPError as error:
        raise GatewayUnanswered(f"no answer: {type(error).__name__}") from None
    if answer.is_server_error:
        raise GatewayUnanswered(f"it answers {answer.status_code}")


async def _ask_tcp(host: str, port: int) -> None:
    await _connect(asyncio.open_connection(host, port))


async def _ask_address(address: str) -> None:
    """``tcp://host:port`` or ``unix:///path``."""
    parts = urlsplit(address)
    if parts.scheme == "unix":
        await _connect(asyncio.open_unix_connection(parts.path))
    else:
        await _connect(asyncio.open_connection(parts.hostname, parts.port))


async def _connect(opening: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
    """An opened connection counts."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            _, writer = await opening
    except (OSError, TimeoutError) as error:
        raise GatewayUnanswered(f"no connection: {type(error).__name__}") from None
    writer.close()
