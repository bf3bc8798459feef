"""A ClamAV daemon that knows one virus: the EICAR test file (PAR-3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateways.clamav.client import COMMAND

# The test file in two halves, so that no scanner takes this module for it.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}" + b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
NAME = "Eicar-Test-Signature"


@asynccontextmanager
async def clamav(*, limit_bytes: int = 25_000_000) -> AsyncIterator[str]:
    """A daemon on a free port; gives its address.

    Parameters:
        limit_bytes: `StreamMaxLength`; a longer stream is refused without a verdict.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await _answer(reader, limit_bytes))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"tcp://{host}:{port}"


async def _answer(reader: asyncio.StreamReader, limit_bytes: int) -> bytes:
    try:
        if await reader.readexactly(len(COMMAND)) != COMMAND:
            return b"UNKNOWN COMMAND\0"
        stream = bytearray()
        while length := int.from_bytes(await reader.readexactly(4), "big"):
            stream += await reader.readexactly(length)
            if len(stream) > limit_bytes:
                return b"INSTREAM size limit exceeded. ERROR\0"
    except asyncio.IncompleteReadError:
        return b""
    return f"stream: {NAME} FOUND\0".encode() if EICAR in stream else b"stream: OK\0"
