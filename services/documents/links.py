"""Links to download documents: signed, short-lived, and logged like any other look of our staff (INV-4, ACC-6)."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.links import BadLink, DownloadLink, check_link
from core.looks import looked_at
from core.principal import Principal
from domain import fields
from models import InvoiceDocument
from policies.scopes import scoped
from services import access_log

__all__ = ["PATH", "BadLink", "download_link", "opened_link"]

PATH = "/invoice-documents"


async def download_link(
    session: AsyncSession, actor: Principal, *, document_id: int, field: str = "id"
) -> DownloadLink:
    """A link for whoever holds it.

    Raises:
        NotFound: there is no such document in the actor's reach.
    """
    wanted = select(InvoiceDocument.partner_id).where(InvoiceDocument.id == document_id)
    partner_id = await session.scalar(scoped(wanted, InvoiceDocument, actor))
    if partner_id is None:
        raise NotFound.of("InvoiceDocument", field=fields.path(field))
    looked_at(partner_id)
    told = await access_log.signed_terms(session, actor)
    return DownloadLink.to(f"{PATH}/{document_id}", told)


async def opened_link(session: AsyncSession, *, document_id: int, query: Mapping[str, str]) -> InvoiceDocument:
    """The document behind a link; a link made by our staff leaves an access log entry.

    Raises:
        BadLink: the link is not genuine or has expired, or the access grant that it was made under has ended.
    """
    told = check_link(f"{PATH}/{document_id}", query)
    document = await session.get(InvoiceDocument, document_id)
    assert document is not None, "a document is never deleted"
    await access_log.opened(
        session,
        told,
        operation="InvoiceDocumentDownload",
        document_hash=document.sha256,
        fields=["InvoiceDocument.content"],
        partner_id=document.partner_id,
    )
    return document
