"""What every storage of files can do (PAR-3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from core.errors import KontoraError

CHUNK_BYTES = 64 * 1024


class StorageUnanswered(KontoraError):
    """The storage did not answer, or not as it should; ask again later."""

    code = "STORAGE_UNANSWERED"


class NoSuchFile(KontoraError):
    """There is no file under the key."""

    code = "NO_SUCH_FILE"


@dataclass(frozen=True)
class FileFacts:
    """What is said of a file before it is sent, and what the sending is bound to.

    Parameters:
        content_type: its MIME type.
        sha256: of its bytes, in hex.
    """

    content_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Upload:
    """A request by which whoever holds it may send one file, and no other.

    Parameters:
        url: where the bytes are sent by PUT.
        headers: what must be sent along; the request is refused without.
    """

    url: str
    headers: tuple[tuple[str, str], ...]
    expires_at: datetime


class Storage(Protocol):
    """A storage of files by key. No call is made inside a transaction that holds locks; each may be repeated."""

    def upload(self, key: str, facts: FileFacts, *, lifetime: timedelta) -> Upload:
        """The request that puts a file under the key."""

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The file, a chunk at a time.

        Raises:
            NoSuchFile: there is none.
            StorageUnanswered: no answer came.
        """

    def direct_url(self, key: str, *, disposition: str, content_type: str, lifetime: timedelta) -> str | None:
        """An address of the storage itself at which the file can be fetched; None where it is read through us."""

    async def delete(self, key: str) -> None:
        """Erase the file, if it is there.

        Raises:
            StorageUnanswered: no answer came.
        """
