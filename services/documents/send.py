"""Sends invoices and acts by email to people of the partner (INV-4, NOT-1)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import NotFound, UserError
from core.principal import Principal
from domain import fields
from domain.billing import OPEN_INVOICE
from domain.documents import InvoiceDocumentKind
from domain.mail import LOCALES
from models import Contact, Invoice, InvoiceDocument, Mail, Payment
from policies.scopes import require
from services import audit, mail
from services.documents.issue import issue_document

TEMPLATE = "invoice_document"


class NoRecipient(UserError):
    """There is nobody at the partner whose email is known."""

    code = "NO_RECIPIENT"


async def send_document(
    session: AsyncSession,
    actor: Principal,
    *,
    invoice_id: int,
    kind: InvoiceDocumentKind,
    contact_id: int | None = None,
    locale: str = "ru",
) -> tuple[InvoiceDocument, Mail]:
    """Write a letter with the PDF to somebody at the partner; issues the document where that was not done before.

    Parameters:
        contact_id: who gets it; the partner's primary contact unless told.
        locale: language of the letter, ``ru`` or ``en``; documents are in Russian.

    Raises:
        NotFound: no such invoice in the actor's reach, or no such contact of its partner.
        NoRecipient: the contact has no email, or the partner no primary contact.
        InvalidValue: there are no letters in this language.
        MailNotConfigured: letters cannot be sent.
        InvoiceCanceled, ActNotDue, LegalEntityMissing: see :func:`issue_document`.
    """
    require(actor, "invoice_document:send", "Mutation.invoiceDocumentSend")
    if locale not in LOCALES:
        raise fields.InvalidValue(f"the language is one of {', '.join(LOCALES)}", field=fields.path("locale"))
    document = await issue_document(session, actor, invoice_id=invoice_id, kind=kind)
    contact = await _recipient(session, document.partner_id, contact_id)
    invoice = await session.get_one(Invoice, document.invoice_id)
    letter = await mail.send(
        session,
        contact.email or "",
        TEMPLATE,
        locale,
        await letter_of(session, invoice, document),
        partner_id=document.partner_id,
        invoice_document_ids=[document.id],
    )
    after = {"kind": kind, "number": document.number, "contact_id": contact.id, "mail_id": letter.id}
    await audit.record(session, actor, "invoice_document.send", document, before=None, after=after)
    return document, letter


async def _recipient(session: AsyncSession, partner_id: int, contact_id: int | None) -> Contact:
    of_partner = select(Contact).where(Contact.partner_id == partner_id)
    wanted = of_partner.where(Contact.is_primary) if contact_id is None else of_partner.where(Contact.id == contact_id)
    contact: Contact | None = await session.scalar(wanted)
    if contact is None and contact_id is not None:
        raise NotFound.of("Contact", field=fields.path("contactId"))
    if contact is None or not contact.email:
        raise NoRecipient("the email of this person is not known; enter it first", field=fields.path("contactId"))
    return contact


async def letter_of(session: AsyncSession, invoice: Invoice, document: InvoiceDocument) -> dict[str, Any]:
    """What the template of the letter names; a link to pay only where one works and is waited for."""
    zone = clock.zone()
    link = None
    if document.kind == InvoiceDocumentKind.INVOICE and invoice.status in OPEN_INVOICE:
        working = select(Payment.payment_link).where(
            Payment.invoice_id == invoice.id, Payment.status == "PENDING", Payment.link_expires_at > clock.now()
        )
        link = await session.scalar(working.order_by(Payment.id.desc()).limit(1))
    return {
        "document": document.kind.value,
        "number": document.number,
        "total": invoice.total,
        "currency": invoice.currency,
        "dated_on": document.dated_at.astimezone(zone).date(),
        "due_on": invoice.due_at.astimezone(zone).date() if invoice.status in OPEN_INVOICE else None,
        "pay_link": link,
    }
