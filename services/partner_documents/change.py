"""What of a document may be changed, and its end (PAR-3)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import Principal
from domain import fields
from models import PartnerDocument
from services import audit
from services.changes import apply, next_version
from services.loading import load
from services.partner_documents.announce import DocumentValues, contract_of
from services.partner_documents.states import take_away


async def update_document(
    session: AsyncSession, actor: Principal, *, document_id: int, version: int, values: DocumentValues
) -> PartnerDocument:
    """Change a document's title, kind, contract, or whether its partner sees it.

    Raises:
        NotFound: there is no such document, or contract of its partner, in the caller's reach.
        Conflict: somebody changed it in between.
        InvalidValue: a value is not fit for its field.
    """
    document = await load(session, actor, PartnerDocument, document_id, lock=True, references=True)
    next_version(document, version)
    checked: dict[str, Any] = dict(values)
    if "title" in checked:
        checked["title"] = fields.line(checked["title"], "title")
    if "contract_id" in checked:
        await contract_of(session, actor, document.partner_id, checked["contract_id"])
    before, after = apply(document, checked)
    await audit.record(session, actor, "partner_document.update", document, before=before, after=after)
    return document


async def delete_document(
    session: AsyncSession, actor: Principal, *, document_id: int, version: int
) -> PartnerDocument:
    """Take a document away; its file is erased after `KONTORA_DOCUMENT_KEPT_DAYS`.

    Raises:
        NotFound: there is no such document in the caller's reach.
        Conflict: somebody changed it in between, or it is deleted already.
    """
    document = await load(session, actor, PartnerDocument, document_id, lock=True, references=True)
    next_version(document, version)
    await take_away(session, actor, document, "partner_document.delete")
    return document
