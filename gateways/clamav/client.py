"""Sends a file to a ClamAV daemon as a stream and reads its verdict (PAR-3).

Source: man page clamd(8), command INSTREAM: chunks, each after its length as four big-endian bytes, and a
length of nought at the end.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from core.errors import KontoraError

CONNECT_SECONDS = 10.0
VERDICT_SECONDS = 120.0
COMMAND = b"zINSTREAM\0"
LONGEST_ANSWER_BYTES = 4_096
_FOUND = re.compile(r"stream: (.+) FOUND")
CLEAN = "stream: OK"


class ScannerUnanswered(KontoraError):
    """The scanner gave no verdict; ask again later."""

    code = "SCANNER_UNANSWERED"


class ClamAv:
    """A ClamAV daemon.

    Parameters:
        address: ``tcp://host:port`` or ``unix:///path``.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    async def scan(self, chunks: AsyncIterator[bytes]) -> str | None:
        """The name of the malware in the file; None where there is none.

        Raises:
            ScannerUnanswered: the daemon cannot be reached, refuses, or says what is no verdict.
        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await self._connect()
        except (OSError, TimeoutError) as error:
            raise ScannerUnanswered(f"ClamAV cannot be reached: {type(error).__name__}") from None
        try:
            async with asyncio.timeout(VERDICT_SECONDS):
                # A daemon that has had enough closes its end while it is sent more; its answer says why.
                sending = asyncio.gather(_send(writer, chunks), return_exceptions=True)
                answer = await reader.read(LONGEST_ANSWER_BYTES)
                (failure,) = await sending
        except (OSError, TimeoutError) as error:
            raise ScannerUnanswered(f"ClamAV gave no verdict: {type(error).__name__}") from None
        finally:
            writer.close()
        if failure is not None and not isinstance(failure, OSError):
            raise failure
        return _verdict(answer)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        kind, _, where = self.address.partition("://")
        if kind == "unix":
            return await asyncio.open_unix_connection(where)
        host, _, port = where.rpartition(":")
        return await asyncio.open_connection(host, int(port))


async def _send(writer: asyncio.StreamWriter, chunks: AsyncIterator[bytes]) -> None:
    writer.write(COMMAND)
    async for chunk in chunks:
        writer.write(len(chunk).to_bytes(4, "big") + chunk)
        await writer.drain()
    writer.write(bytes(4))
    await writer.drain()


def _verdict(answer: bytes) -> str | None:
    text = answer.decode(errors="replace").strip("\0\n ")
    if text == CLEAN:
        return None
    found = _FOUND.fullmatch(text)
    if found is None:
        raise ScannerUnanswered(f"ClamAV gave no verdict: {text[:100]!r}")
    return found.group(1)[:200]
