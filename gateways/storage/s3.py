"""Files in a bucket of a service that speaks S3; browsers send and fetch them there by presigned requests (PAR-3).

An upload is bound to the announced size, type and SHA-256 by signed headers, the last of which the service itself
compares with the bytes (`x-amz-checksum-sha256`).
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from http import HTTPStatus

import httpx

from core import clock
from core.http import client
from gateways.storage.interface import CHUNK_BYTES, FileFacts, NoSuchFile, StorageUnanswered, Upload
from gateways.storage.sigv4 import Signer

OWN_CALL = timedelta(minutes=5)


class S3Storage:
    """Files of a bucket.

    Parameters:
        bucket_url: address of the bucket: ``https://bucket.host`` or ``https://host/bucket``.
    """

    def __init__(self, bucket_url: str, signer: Signer) -> None:
        self.bucket_url = bucket_url.rstrip("/")
        self.signer = signer

    def upload(self, key: str, facts: FileFacts, *, lifetime: timedelta) -> Upload:
        """A presigned PUT."""
        checksum = base64.b64encode(bytes.fromhex(facts.sha256)).decode()
        headers = {"Content-Type": facts.content_type, "x-amz-checksum-sha256": checksum}
        now = clock.now()
        signed = {**headers, "Content-Length": str(facts.size_bytes)}
        url = self.signer.presign("PUT", self._url(key), at=now, lifetime=lifetime, headers=signed)
        return Upload(url, tuple(headers.items()), now + lifetime)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The file, a chunk at a time."""
        url = self.signer.presign("GET", self._url(key), at=clock.now(), lifetime=OWN_CALL)
        try:
            async with client() as http, http.stream("GET", url) as answer:
                _check(answer, HTTPStatus.OK)
                async for chunk in answer.aiter_bytes(CHUNK_BYTES):
                    yield chunk
        except httpx.HTTPError as error:
            raise StorageUnanswered(f"the storage did not answer: {type(error).__name__}") from None

    def direct_url(self, key: str, *, disposition: str, content_type: str, lifetime: timedelta) -> str | None:
        """A presigned GET whose answer is saved, never shown."""
        told = {"response-content-disposition": disposition, "response-content-type": content_type}
        return self.signer.presign("GET", self._url(key), at=clock.now(), lifetime=lifetime, query=told)

    async def delete(self, key: str) -> None:
        """Erase the file, if it is there."""
        url = self.signer.presign("DELETE", self._url(key), at=clock.now(), lifetime=OWN_CALL)
        try:
            async with client() as http:
                answer = await http.delete(url)
        except httpx.HTTPError as error:
            raise StorageUnanswered(f"the storage did not answer: {type(error).__name__}") from None
        if answer.status_code != HTTPStatus.NOT_FOUND:
            _check(answer, HTTPStatus.NO_CONTENT)

    def _url(self, key: str) -> str:
        return f"{self.bucket_url}/{key}"


def _check(answer: httpx.Response, wanted: HTTPStatus) -> None:
    if answer.status_code == HTTPStatus.NOT_FOUND:
        raise NoSuchFile("the storage has no such file")
    if answer.status_code not in (wanted, HTTPStatus.OK):
        raise StorageUnanswered(f"the storage answered {answer.status_code}")
