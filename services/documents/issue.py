"""Issues the documents of invoices: made once, kept as they are (INV-4)."""

from __future__ import annotations

import hashlib

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import NotFound, UserError
from core.principal import Principal
from domain import fields
from domain.billing import InvoiceStatus
from domain.documents import InvoiceDocumentKind, act_moment
from models import Invoice, InvoiceDocument, InvoiceLine, LegalEntity, Partner
from policies.scopes import scoped
from services import audit, legal_entities
from services.documents.contents import contents
from services.documents.render import render

_TEMPLATES = {InvoiceDocumentKind.INVOICE: "invoice", InvoiceDocumentKind.ACT: "act"}


class LegalEntityMissing(UserError):
    """Nobody has entered the details of the legal entity that issued the invoice."""

    code = "LEGAL_ENTITY_MISSING"


class InvoiceCanceled(UserError):
    """The invoice was taken back; nobody should pay it."""

    code = "INVOICE_CANCELED"


async def issue_document(
    session: AsyncSession, actor: Principal, *, invoice_id: int, kind: InvoiceDocumentKind
) -> InvoiceDocument:
    """The document of an invoice: the one that was issued before, else a new one.

    Raises:
        NotFound: there is no such invoice in the actor's reach.
        InvoiceCanceled: the invoice was cancelled before its document was ever issued.
        ActNotDue: an act of an invoice that is not paid, or whose period has not ended.
        LegalEntityMissing: our details are not entered.
    """
    invoice = await session.scalar(scoped(select(Invoice).where(Invoice.id == invoice_id), Invoice, actor))
    if invoice is None:
        raise NotFound.of("Invoice", field=fields.path("invoiceId"))
    issued = await _issued(session, invoice, kind)
    if issued is not None:
        return issued
    if invoice.status == InvoiceStatus.CANCELED:
        raise InvoiceCanceled("the invoice was cancelled", field=fields.path("invoiceId"))
    dated_at = invoice.created_at
    if kind == InvoiceDocumentKind.ACT:
        dated_at = act_moment(invoice.status, invoice.paid_at, invoice.period_end, clock.now())
    entity = await _entity(session, invoice)
    partner = (await session.scalars(select(Partner).where(Partner.id == invoice.partner_id))).one()
    lines = await session.scalars(
        select(InvoiceLine).where(InvoiceLine.invoice_id == invoice.id).order_by(InvoiceLine.position)
    )
    zone = clock.zone()
    pdf = await render(_TEMPLATES[kind], contents(kind, invoice, lines.all(), entity, partner, dated_at, zone))
    document_id = await session.scalar(
        insert(InvoiceDocument)
        .values(
            partner_id=invoice.partner_id,
            invoice_id=invoice.id,
            kind=kind,
            number=invoice.number,
            dated_at=dated_at,
            size_bytes=len(pdf),
            sha256=hashlib.sha256(pdf).hexdigest(),
            content=pdf,
        )
        .on_conflict_do_nothing()
        .returning(InvoiceDocument.id)
    )
    document = await _issued(session, invoice, kind)
    assert document is not None, "a document is never deleted"
    # Two may have asked at once; the one who came first has told.
    if document.id == document_id:
        told = {"number": document.number, "kind": kind, "sha256": document.sha256}
        await audit.record(session, actor, "invoice_document.issue", document, before=None, after=told)
    return document


async def _issued(session: AsyncSession, invoice: Invoice, kind: InvoiceDocumentKind) -> InvoiceDocument | None:
    found: InvoiceDocument | None = await session.scalar(
        select(InvoiceDocument).where(InvoiceDocument.invoice_id == invoice.id, InvoiceDocument.kind == kind)
    )
    return found


async def _entity(session: AsyncSession, invoice: Invoice) -> LegalEntity:
    entity = await legal_entities.issuing(session, invoice.legal_entity)
    if entity is None:
        raise LegalEntityMissing(
            f"the details of the legal entity {invoice.legal_entity!r} are not entered: legalEntityCreate does it",
            field=fields.path("invoiceId"),
        )
    return entity
