"""Storages of files and the scanner, each against its emulator: signatures, limits, verdicts (PAR-3)."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.requests import Request

from core import clock
from gateways.clamav.client import ClamAv, ScannerUnanswered
from gateways.clamav.emulator import EICAR, NAME, clamav
from gateways.storage.emulator import S3Emulator
from gateways.storage.interface import FileFacts, NoSuchFile, StorageUnanswered
from gateways.storage.local import FileDiffers, LocalStorage
from gateways.storage.s3 import S3Storage
from gateways.storage.sigv4 import Signer

CONTENT = b"%PDF-1.7\n" + bytes(range(256)) * 1_000
FACTS = FileFacts("application/pdf", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
KEY = "partner-documents/abc1"
LIFETIME = timedelta(minutes=5)
# Amazon S3 API reference, "Authenticating requests: using query parameters", the example.
EXAMPLE = Signer("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
EXAMPLE_SIGNATURE = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"


async def chunks(content: bytes, size: int = 50_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def whole(parts: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in parts])


@pytest.fixture
async def bucket() -> AsyncIterator[tuple[S3Storage, S3Emulator]]:
    """A bucket of an emulator on a free port."""
    emulator = S3Emulator("key-id", "secret")
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(emulator.app, log_level="warning", access_log=False, lifespan="off"))
    serving = asyncio.create_task(server._serve([listener]))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/files"
    yield S3Storage(url, Signer("key-id", "secret", "us-east-1")), emulator
    server.should_exit = True
    await serving


def test_the_signature_is_that_of_amazons_example() -> None:
    url = EXAMPLE.presign(
        "GET",
        "https://examplebucket.s3.amazonaws.com/test.txt",
        at=datetime(2013, 5, 24, tzinfo=UTC),
        lifetime=timedelta(seconds=86_400),
    )
    assert url.endswith(f"&X-Amz-Signature={EXAMPLE_SIGNATURE}")


def test_the_signature_is_that_of_amazons_own_library() -> None:
    # As botocore 1.44.8 signs this request by S3SigV4QueryAuth.
    headers = {"Content-Type": "application/pdf", "Content-Length": "123", "x-amz-checksum-sha256": "q+/=="}
    url = Signer("AK", "secret", "eu-1").presign(
        "PUT",
        "http://127.0.0.1:9000/files/partner-documents/abc",
        at=datetime(2026, 11, 26, 12, tzinfo=UTC),
        lifetime=LIFETIME,
        headers=headers,
    )
    assert url.endswith("=40184bc0640df4f58d45da1dc9ea21f28f2a593c7340617ed920a3d910ccec84")


def test_the_emulator_knows_amazons_example(monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = S3Emulator(EXAMPLE.access_key_id, EXAMPLE.secret_access_key)
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
        "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
    )

    def refusal(signature: str) -> str | None:
        scope = {"type": "http", "method": "GET", "path": "/test.txt", "query_string": (query + signature).encode()}
        return emulator.refusal(Request({**scope, "headers": [(b"host", b"examplebucket.s3.amazonaws.com")]}))

    monkeypatch.setattr(clock, "now", lambda: datetime(2013, 5, 24, 12, tzinfo=UTC))
    assert refusal(EXAMPLE_SIGNATURE) is None
    assert refusal(EXAMPLE_SIGNATURE[:-1] + "5") == "SignatureDoesNotMatch"


async def test_s3_takes_the_announced_file_and_no_other(bucket: tuple[S3Storage, S3Emulator]) -> None:
    storage, emulator = bucket
    upload = storage.upload(KEY, FACTS, lifetime=LIFETIME)
    headers = dict(upload.headers)
    async with httpx.AsyncClient() as http:
        refused = [
            await http.put(upload.url.replace("Signature=", "Signature=0"), content=CONTENT, headers=headers),
            await http.put(upload.url.replace("abc1", "abc2"), content=CONTENT, headers=headers),
            await http.put(upload.url, content=CONTENT + b"x", headers=headers),
            await http.put(upload.url, content=CONTENT, headers={**headers, "Content-Type": "text/html"}),
            await http.put(upload.url, content=CONTENT, headers={"Content-Type": FACTS.content_type}),
            await http.get(upload.url),
        ]
        assert [answer.status_code for answer in refused] == [403] * 6
        other = bytes(len(CONTENT))
        assert (await http.put(upload.url, content=other, headers=headers)).status_code == 400
        assert not emulator.files
        assert (await http.put(upload.url, content=CONTENT, headers=headers)).status_code == 200
        assert await whole(storage.read(KEY)) == CONTENT
        url = storage.direct_url(KEY, disposition='attachment; filename="a.pdf"', content_type="x/y", lifetime=LIFETIME)
        assert url is not None
        answer = await http.get(url)
        assert (answer.content, answer.headers["content-type"]) == (CONTENT, "x/y")
        assert answer.headers["content-disposition"] == 'attachment; filename="a.pdf"'
        assert (await http.get(url.replace("a.pdf", "b.pdf"))).status_code == 403
        with pytest.MonkeyPatch.context() as patch:
            late = clock.now() + LIFETIME + timedelta(seconds=2)
            patch.setattr(clock, "now", lambda: late)
            assert (await http.get(url)).status_code == 403
    await storage.delete(KEY)
    await storage.delete(KEY)
    with pytest.raises(NoSuchFile):
        await whole(storage.read(KEY))


async def test_s3_that_does_not_answer_is_asked_again_later(bucket: tuple[S3Storage, S3Emulator]) -> None:
    storage, _ = bucket
    stranger = S3Storage(storage.bucket_url, Signer("key-id", "wrong", "us-east-1"))
    nobody = S3Storage("http://127.0.0.1:1/files", storage.signer)
    for broken in (stranger, nobody):
        with pytest.raises(StorageUnanswered):
            await whole(broken.read(KEY))
        with pytest.raises(StorageUnanswered):
            await broken.delete(KEY)


async def test_the_folder_keeps_whole_files_only(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path, "http://kontora.test")

    async def broken_off() -> AsyncIterator[bytes]:
        yield CONTENT[:100]
        raise ConnectionResetError

    for sent in (CONTENT[:-1], CONTENT + b"x", bytes(len(CONTENT))):
        with pytest.raises(FileDiffers):
            await storage.write(KEY, FACTS, chunks(sent))
    with pytest.raises(ConnectionResetError):
        await storage.write(KEY, FACTS, broken_off())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    await storage.write(KEY, FACTS, chunks(CONTENT))
    assert await whole(storage.read(KEY)) == CONTENT
    for key in ("../outside", "partner-documents/../../outside", "/etc/passwd", ""):
        with pytest.raises(NoSuchFile):
            await whole(storage.read(key))
    await storage.delete(KEY)
    await storage.delete(KEY)
    with pytest.raises(NoSuchFile):
        await whole(storage.read(KEY))


def test_halves_of_files_are_forgotten_after_a_day(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path, "http://kontora.test")
    old, new = tmp_path / "a.1.part", tmp_path / "a.2.part"
    for path in (old, new):
        path.write_bytes(b"x")
    then = clock.now().timestamp() - 90_000
    os.utime(old, (then, then))
    assert storage.forget_halves(timedelta(days=1)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.2.part"]


async def test_the_scanner_finds_the_test_virus_and_gives_no_verdict_it_does_not_have() -> None:
    async with clamav(limit_bytes=300_000) as address:
        scanner = ClamAv(address)
        assert await scanner.scan(chunks(CONTENT)) is None
        assert await scanner.scan(chunks(CONTENT + EICAR, size=7_777)) == NAME
        with pytest.raises(ScannerUnanswered, match="size limit exceeded"):
            await scanner.scan(chunks(bytes(10_000_000)))
    with pytest.raises(ScannerUnanswered, match="cannot be reached"):
        await scanner.scan(chunks(CONTENT))
