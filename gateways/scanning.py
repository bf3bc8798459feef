"""The port of scanners that look into files for malware, and the one that this installation is set to (PAR-3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from core.settings import get_settings
from gateways.clamav.client import ClamAv


class Scanner(Protocol):
    """Looks into files."""

    async def scan(self, chunks: AsyncIterator[bytes]) -> str | None:
        """The name of what was found; None where the file is clean.

        Raises:
            ScannerUnanswered: no verdict came; ask again later.
        """


class NoScanner:
    """Finds nothing: no scanner is set."""

    async def scan(self, chunks: AsyncIterator[bytes]) -> str | None:
        """None, without reading the file."""
        return None


def scanner() -> Scanner:
    """The scanner of this installation."""
    address = get_settings().clamav
    return NoScanner() if address is None else ClamAv(address)
