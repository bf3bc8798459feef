"""Links to download documents: signed, short-lived, and logged like any other look of our staff (PAR-3, ACC-6)."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.links import BadLink, DownloadLink, check_link
from core.looks import looked_at
from core.principal import Principal
from domain import fields
from domain.partner_documents import PartnerDocumentStatus
from models import PartnerDocument
from policies.scopes import scoped
from services import access_log
from services.partner_documents.states import DocumentNotReady

__all__ = ["PATH", "BadLink", "download_link", "opened_link"]

PATH = "/partner-documents"
PARTNER = "partner"


async def download_link(session: AsyncSession, actor: Principal, *, document_id: int) -> DownloadLink:
    """A link for whoever holds it.

    Raises:
        NotFound: there is no such document in the caller's reach.
        DocumentNotReady: it is not available, or is itself a link.
    """
    columns = (PartnerDocument.status, PartnerDocument.url, PartnerDocument.partner_id)
    wanted = select(*columns).where(PartnerDocument.id == document_id)
    found = (await session.execute(scoped(wanted, PartnerDocument, actor))).one_or_none()
    if found is None:
        raise NotFound.of("PartnerDocument", field=fields.path("id"))
    if found.status != PartnerDocumentStatus.AVAILABLE:
        raise DocumentNotReady(f"the document is {found.status}", field=fields.path("id"))
    if found.url is not None:
        raise DocumentNotReady("the document is a link: follow its url", field=fields.path("id"))
    looked_at(found.partner_id)
    told = await access_log.signed_terms(session, actor)
    if actor.is_tenant:
        told[PARTNER] = str(actor.partner_id)
    return DownloadLink.to(f"{PATH}/{document_id}", told)


async def opened_link(session: AsyncSession, *, document_id: int, query: Mapping[str, str]) -> PartnerDocument:
    """The document behind a link; a link made by our staff leaves an access log entry.

    Raises:
        BadLink: the link is not genuine or has expired, or the document was taken away meanwhile.
    """
    told = check_link(f"{PATH}/{document_id}", query)
    document = await session.get_one(PartnerDocument, document_id)
    if document.status != PartnerDocumentStatus.AVAILABLE or (PARTNER in told and not document.visible_to_partner):
        raise BadLink("the document is not here any more")
    await access_log.opened(
        session,
        told,
        operation="PartnerDocumentDownload",
        document_hash=document.sha256 or "",
        fields=["PartnerDocument.content"],
        partner_id=document.partner_id,
    )
    return document
