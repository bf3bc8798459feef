"""The guard against addresses inside our network: by name, by address, by a second answer of DNS, by redirect (NOT-2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from core import http
from core.http import AddressRefused, InvalidEndpoint, PublicOnly, check_endpoint, is_public
from gateways.events.client import deliver
from tests.certificates import certificate

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NAME = "hooks.example"
PUBLIC, PRIVATE = "93.184.216.34", "127.0.0.1"


class Internet:
    """One TLS server, DNS that answers what it is told, and connections that say where they were to go.

    Parameters:
        answers: of DNS, one a question; the last one for ever.
        connected: addresses in the order of connecting; whichever it is, the server is reached.
    """

    def __init__(self, answers: list[str], response: bytes) -> None:
        self.answers = answers
        self.response = response
        self.connected: list[tuple[str, int]] = []
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.response)
        await writer.drain()
        writer.close()

    async def resolve(self, host: str, *_: Any, **__: Any) -> list[Any]:
        """What DNS says."""
        assert host == NAME
        return [(0, 0, 0, "", (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0], 443))]


@pytest.fixture
async def internet(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Internet]:
    """An internet with these answers of DNS and this response."""
    made = Internet(*request.param)
    server_tls, client_tls = certificate(tmp_path, NAME)
    server = await asyncio.start_server(made.serve, PRIVATE, 0, ssl=server_tls)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def create_connection(factory: Any, host: str, to_port: int, **options: Any) -> Any:
        made.connected.append((host, to_port))
        return await connect(factory, PRIVATE, port, **options)

    monkeypatch.setattr(loop, "getaddrinfo", made.resolve)
    monkeypatch.setattr(loop, "create_connection", create_connection)
    monkeypatch.setattr(http, "_tls", lambda: client_tls)
    yield made
    server.close()
    await server.wait_closed()


OK = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
AWAY = b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/admin\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("internet", [([PUBLIC, PRIVATE], OK)], indirect=True)
async def test_the_address_that_was_checked_is_the_one_connected_to(internet: Internet) -> None:
    first = await deliver(f"https://{NAME}/hook", secrets=[SECRET], event_id="evt_1", body="{}")
    assert (first.accepted, first.error) == (True, None)
    assert internet.connected == [(PUBLIC, 443)], "DNS was asked once, and not by whoever connects"
    assert b"\r\nHost: hooks.example\r\n" in internet.requests[0]
    second = await deliver(f"https://{NAME}/hook", secrets=[SECRET], event_id="evt_1", body="{}")
    assert second.error == "the host leads to a private address"
    assert len(internet.connected) == 1


@pytest.mark.parametrize("internet", [([PUBLIC], AWAY)], indirect=True)
async def test_a_redirect_inside_is_an_answer_like_any_other_refusal(internet: Internet) -> None:
    answer = await deliver(f"https://{NAME}/hook", secrets=[SECRET], event_id="evt_1", body="{}")
    assert (answer.status_code, answer.accepted) == (302, False)
    assert internet.connected == [(PUBLIC, 443)]


async def test_the_guard_refuses_private_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = []

    def answer(request: httpx.Request) -> httpx.Response:
        reached.append((request.url.host, request.headers["host"], request.extensions["sni_hostname"]))
        return httpx.Response(200)

    async def resolve(address: str, *_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", (addresses[address], 443))]

    addresses = {"good.example": "93.184.216.34", "evil.example": "169.254.169.254"}
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    async with httpx.AsyncClient(transport=PublicOnly(httpx.MockTransport(answer))) as client:
        await client.post("https://good.example/hook")
        with pytest.raises(AddressRefused):
            await client.post("https://evil.example/hook")
        with pytest.raises(AddressRefused):
            await client.post("http://good.example/hook")
    assert reached == [("93.184.216.34", "good.example", "good.example")]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "0.0.0.0",
        "100.64.0.1",
        "224.0.0.1",
        "2002:7f00:1::",
        "fd00::1",
        "fec0::1",
        "::7f00:1",
        "::ffff:0:127.0.0.1",
        "64:ff9b:1::7f00:1",
        "2001:0:7f00:1::",
        "192.0.0.8",
        "198.18.0.1",
        "255.255.255.255",
    ],
)
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2a02:6b8::2:242", "::ffff:93.184.216.34"])
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://",
        "ftp://example.com",
        "https://user:x@example.com/",
        "https://localhost/",
        "https://localhost./",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://db.internal/",
        "https://intranet/",
        "nonsense",
        "",
        "https://example.com/" + "x" * http.LONGEST_URL_CHARS,
    ],
)
def test_bad_endpoints_are_refused(url: str) -> None:
    with pytest.raises(InvalidEndpoint):
        check_endpoint(url)


def test_a_good_endpoint_is_taken() -> None:
    assert check_endpoint("https://example.com:8443/hook?x=1") == "https://example.com:8443/hook?x=1"
