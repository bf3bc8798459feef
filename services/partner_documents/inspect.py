"""A file that was sent is looked into before anybody gets it: size, checksum, real type, malware (PAR-3)."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import IO

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.database import transaction
from core.principal import SYSTEM, Principal
from domain.partner_documents import PartnerDocumentRejection, PartnerDocumentStatus
from gateways.scanning import scanner
from gateways.storage.interface import CHUNK_BYTES, FileFacts, NoSuchFile
from gateways.storage.registry import storage
from models import PartnerDocument
from services import audit
from services.loading import load
from services.outbox import enqueue
from services.partner_documents.recognise import is_of_type
from services.partner_documents.states import make_available, move, reject

INSPECT = "partner_document.inspect"


@dataclass(frozen=True)
class Refusal:
    """Why a file is refused.

    Parameters:
        found: what a scanner calls the malware.
    """

    reason: PartnerDocumentRejection
    found: str | None = None


async def uploaded(session: AsyncSession, actor: Principal, *, document_id: int) -> PartnerDocument:
    """The file was sent: have it looked into. Telling so again changes nothing.

    Raises:
        NotFound: there is no such document in the caller's reach.
        DocumentNotReady: it waits for no file.
    """
    document = await load(session, actor, PartnerDocument, document_id, lock=True, references=True)
    if document.storage_key is not None and document.status in (
        PartnerDocumentStatus.SCANNING,
        PartnerDocumentStatus.AVAILABLE,
    ):
        return document
    move(document, PartnerDocumentStatus.SCANNING, field=("input", "id"))
    after = {"status": document.status}
    await audit.record(session, actor, "partner_document.upload", document, before=None, after=after)
    await enqueue(session, INSPECT, {"documentId": document.id})
    return document


async def inspect(document_id: int) -> None:
    """Look into a file and let it through, or refuse it; a repeat finds nothing to do.

    Raises:
        StorageUnanswered: the storage does not answer now.
        ScannerUnanswered: the scanner does not.
    """
    async with transaction() as session:
        document = await session.get_one(PartnerDocument, document_id)
    if document.status != PartnerDocumentStatus.SCANNING:
        return
    assert document.storage_key is not None, "links are never scanned"
    assert document.content_type is not None, "a file is described"
    assert document.size_bytes is not None, "a file is described"
    assert document.sha256 is not None, "a file is described"
    facts = FileFacts(document.content_type, document.size_bytes, document.sha256)
    refusal = await _refusal(document.storage_key, facts)
    async with transaction() as session:
        wanted = select(PartnerDocument).where(PartnerDocument.id == document_id).with_for_update()
        document = (await session.scalars(wanted)).one()
        if document.status != PartnerDocumentStatus.SCANNING:
            return
        if refusal is None:
            await make_available(session, SYSTEM, document)
        else:
            await reject(session, SYSTEM, document, refusal.reason, refusal.found)


async def _refusal(key: str, facts: FileFacts) -> Refusal | None:
    with tempfile.TemporaryFile() as copy:
        size, digest = 0, hashlib.sha256()
        try:
            async for chunk in storage().read(key):
                size += len(chunk)
                if size > facts.size_bytes:
                    return Refusal(PartnerDocumentRejection.WRONG_SIZE)
                digest.update(chunk)
                await asyncio.to_thread(copy.write, chunk)
        except NoSuchFile:
            return Refusal(PartnerDocumentRejection.NEVER_UPLOADED)
        if size != facts.size_bytes:
            return Refusal(PartnerDocumentRejection.WRONG_SIZE)
        if digest.hexdigest() != facts.sha256:
            return Refusal(PartnerDocumentRejection.WRONG_CHECKSUM)
        if not await asyncio.to_thread(is_of_type, copy, facts.content_type):
            return Refusal(PartnerDocumentRejection.WRONG_TYPE)
        found = await scanner().scan(_chunks(copy))
        return None if found is None else Refusal(PartnerDocumentRejection.MALWARE, found)


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    await asyncio.to_thread(file.seek, 0)
    while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
        yield chunk
