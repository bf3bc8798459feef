"""Clears what is left over: documents whose file never came, and files whose time is over (PAR-3)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.database import transaction
from core.principal import SYSTEM
from domain.partner_documents import PartnerDocumentRejection, PartnerDocumentStatus
from gateways.storage.registry import local_storage, storage
from models import PartnerDocument
from services.partner_documents.states import reject

# A sending that began in time may end later, and its end may be told later still.
ABANDONED_AFTER = timedelta(hours=1)
HALVES_KEPT = timedelta(days=1)
CHUNK = 200


async def abandon(session: AsyncSession) -> int:
    """Refuse a chunk of documents whose file never came; gives their number."""
    waiting = select(PartnerDocument).where(
        PartnerDocument.status == PartnerDocumentStatus.PENDING,
        PartnerDocument.upload_until < clock.now() - ABANDONED_AFTER,
    )
    chunk = waiting.order_by(PartnerDocument.upload_until).limit(CHUNK).with_for_update(skip_locked=True)
    documents = (await session.scalars(chunk)).all()
    for document in documents:
        await reject(session, SYSTEM, document, PartnerDocumentRejection.NEVER_UPLOADED)
    return len(documents)


async def purge() -> int:
    """Erase files whose time is over, and halves of files; gives the number of documents that lost theirs.

    Each file is erased before its row says so: a crash between the two erases it twice.

    Raises:
        StorageUnanswered: the storage does not answer now.
    """
    due = (PartnerDocument.purge_at <= clock.now(), PartnerDocument.purged_at.is_(None))
    async with transaction() as session:
        found = await session.execute(select(PartnerDocument.id, PartnerDocument.storage_key).where(*due).limit(CHUNK))
        rows = found.all()
    for document_id, key in rows:
        assert key is not None, "links are never purged"
        await storage().delete(key)
        async with transaction() as session:
            erased = update(PartnerDocument).where(PartnerDocument.id == document_id)
            await session.execute(erased.values(purged_at=clock.now()))
    local = local_storage()
    if local is not None and not rows:
        await asyncio.to_thread(local.forget_halves, HALVES_KEPT)
    return len(rows)
