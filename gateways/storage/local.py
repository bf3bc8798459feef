"""Files in a folder of this machine, sent and fetched through our own doors (PAR-3).

A file is written beside its place and renamed into it once all of it is there and is what was announced, so that no
half of a file is ever seen.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from core import clock
from core.errors import UserError
from core.links import signed_link
from gateways.storage.interface import CHUNK_BYTES, FileFacts, NoSuchFile, Upload

PATH = "/storage"
SCRATCH = ".part"
_KEY = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)*")


class FileDiffers(UserError):
    """The bytes are not those that were announced; nothing was kept."""

    code = "FILE_DIFFERS"


class LocalStorage:
    """Files below a folder.

    Parameters:
        folder: is made at the first file.
        base_url: public address of our doors.
    """

    def __init__(self, folder: Path, base_url: str) -> None:
        self.folder = folder
        self.base_url = base_url

    def upload(self, key: str, facts: FileFacts, *, lifetime: timedelta) -> Upload:
        """A signed link to our own door."""
        told = {"type": facts.content_type, "size": str(facts.size_bytes), "sha256": facts.sha256}
        link, expires_at = signed_link(f"{PATH}/{key}", told, lifetime=lifetime)
        return Upload(self.base_url + link, (("Content-Type", facts.content_type),), expires_at)

    async def write(self, key: str, facts: FileFacts, chunks: AsyncIterator[bytes]) -> None:
        """Keep what comes, if it is what was announced; what is beyond the announced size is not read.

        Raises:
            FileDiffers: another size or checksum.
        """
        place = self._place(key)
        await asyncio.to_thread(place.parent.mkdir, parents=True, exist_ok=True, mode=0o700)
        scratch = place.with_name(f"{place.name}.{secrets.token_hex(8)}{SCRATCH}")
        descriptor = await asyncio.to_thread(os.open, scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                size, digest = 0, hashlib.sha256()
                async for chunk in chunks:
                    size += len(chunk)
                    if size > facts.size_bytes:
                        raise FileDiffers(f"the file is longer than the {facts.size_bytes} bytes announced")
                    digest.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
                if size != facts.size_bytes:
                    raise FileDiffers(f"{size} of the {facts.size_bytes} bytes announced came")
                if digest.hexdigest() != facts.sha256:
                    raise FileDiffers("the checksum is not the one announced")
                await asyncio.to_thread(_flush, file.fileno())
            await asyncio.to_thread(os.replace, scratch, place)
        finally:
            with suppress(FileNotFoundError):
                await asyncio.to_thread(scratch.unlink)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The file, a chunk at a time."""
        try:
            file = await asyncio.to_thread(self._place(key).open, "rb")
        except FileNotFoundError:
            raise NoSuchFile(f"there is no file {key!r}") from None
        with file:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield chunk

    def direct_url(self, key: str, *, disposition: str, content_type: str, lifetime: timedelta) -> str | None:
        """None: files are read through us."""
        return None

    async def delete(self, key: str) -> None:
        """Erase the file, if it is there."""
        await asyncio.to_thread(self._place(key).unlink, missing_ok=True)

    def forget_halves(self, older_than: timedelta) -> int:
        """Erase what is left of sendings that broke off long ago; gives their number."""
        before = (clock.now() - older_than).timestamp()
        erased = 0
        for path in self.folder.rglob(f"*{SCRATCH}"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    erased += 1
        return erased

    def _place(self, key: str) -> Path:
        # Keys are ours, never a user's; this is the second wall.
        if not _KEY.fullmatch(key):
            raise NoSuchFile("this is no key of a file")
        return self.folder / key


def _flush(descriptor: int) -> None:
    os.fsync(descriptor)
