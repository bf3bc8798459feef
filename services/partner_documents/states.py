"""The steps of a document's life, each by the table of transitions (PAR-3)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict
from core.principal import Principal
from core.settings import get_settings
from domain.partner_documents import PartnerDocumentRejection, PartnerDocumentStatus, may_become
from models import PartnerDocument
from services import audit


class DocumentNotReady(Conflict):
    """The document is not in a state that allows it; says in which it is."""

    code = "DOCUMENT_NOT_READY"


def move(document: PartnerDocument, status: PartnerDocumentStatus, *, field: tuple[str, ...] | None = None) -> None:
    """Take a locked document to another state.

    Raises:
        DocumentNotReady: there is no such step; names ``field``.
    """
    if not may_become(document.status, status):
        raise DocumentNotReady(f"the document is {document.status}", field=field)
    document.status = status


async def make_available(session: AsyncSession, actor: Principal, document: PartnerDocument) -> None:
    """The document is there, and the one that it replaces is not any more."""
    move(document, PartnerDocumentStatus.AVAILABLE)
    document.available_at = clock.now()
    after = {"status": document.status}
    await audit.record(session, actor, "partner_document.make_available", document, before=None, after=after)
    if document.replaces_id is None:
        return
    wanted = select(PartnerDocument).where(PartnerDocument.id == document.replaces_id).with_for_update()
    replaced = (await session.scalars(wanted)).one()
    if replaced.status == PartnerDocumentStatus.AVAILABLE:
        await take_away(session, actor, replaced, "partner_document.replace")


async def reject(
    session: AsyncSession,
    actor: Principal,
    document: PartnerDocument,
    rejection: PartnerDocumentRejection,
    found: str | None = None,
) -> None:
    """The file is refused; it is erased once nobody can send it any more.

    Parameters:
        found: what a scanner calls the malware.
    """
    move(document, PartnerDocumentStatus.REJECTED)
    document.rejection = rejection
    document.purge_at = document.upload_until
    after = {"status": document.status, "rejection": rejection, "found": found}
    await audit.record(session, actor, "partner_document.reject", document, before=None, after=after)


async def take_away(session: AsyncSession, actor: Principal, document: PartnerDocument, action: str) -> None:
    """The document is gone for everybody; its file is kept for a while, in case somebody was mistaken."""
    before = {"status": document.status}
    move(document, PartnerDocumentStatus.DELETED, field=("input", "id"))
    now = clock.now()
    document.deleted_at = now
    if document.storage_key is not None and document.purged_at is None:
        kept_until = now + timedelta(days=get_settings().document_kept_days)
        document.purge_at = max(kept_until, document.upload_until or kept_until)
    after = {"status": document.status, "file_name": document.file_name}
    await audit.record(session, actor, action, document, before=before, after=after)
