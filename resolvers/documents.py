"""Doors to invoices and acts as PDF (INV-4)."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from core.database import transaction
from planner.binding import function_root
from planner.context import RunContext
from resolvers.inputs import key_of
from resolvers.mutation import MutationContext, mutation
from resolvers.values import link_of
from schema.documents import (
    InvoiceDocumentIssueInput,
    InvoiceDocumentLink,
    InvoiceDocumentPayload,
    InvoiceDocumentSendInput,
    InvoiceDocumentSendPayload,
)
from services import documents


async def invoice_document_link(
    context: RunContext, id: Annotated[strawberry.ID, strawberry.argument(description="The document.")]
) -> dict[str, Any]:
    """A link to download a document; good for 15 minutes, for whoever holds it (INV-4)."""
    async with transaction(context.principal) as session:
        link = await documents.download_link(
            session, context.principal, document_id=key_of(id, "InvoiceDocument", "id")
        )
    return link_of(link)


async def invoice_document_issue(context: MutationContext, input: InvoiceDocumentIssueInput) -> dict[str, Any]:
    """Get an invoice or its act as PDF: made the first time, the same ever after (INV-4)."""
    document = await documents.issue_document(
        context.session,
        context.actor,
        invoice_id=key_of(input.invoice_id, "Invoice", "invoiceId"),
        kind=input.kind,
    )
    link = await documents.download_link(context.session, context.actor, document_id=document.id)
    return {"invoice_document": document.id, "link": link_of(link)}


async def invoice_document_send(context: MutationContext, input: InvoiceDocumentSendInput) -> dict[str, Any]:
    """Send an invoice or its act by email to somebody at the partner (INV-4)."""
    document, letter = await documents.send_document(
        context.session,
        context.actor,
        invoice_id=key_of(input.invoice_id, "Invoice", "invoiceId"),
        kind=input.kind,
        contact_id=None if input.contact_id is None else key_of(input.contact_id, "Contact", "contactId"),
        locale=input.locale,
    )
    return {"invoice_document": document.id, "mail": letter.id}


@strawberry.type(description="Queries of documents beyond the tables.")
class DocumentQueries:
    """Queries of documents beyond the tables."""

    invoice_document_link: Any = function_root(
        invoice_document_link, InvoiceDocumentLink, requires="invoice_document:read"
    )


@strawberry.type(description="Mutations of documents.")
class DocumentMutations:
    """Mutations of documents."""

    invoice_document_issue: Any = mutation(
        invoice_document_issue, InvoiceDocumentPayload, requires="invoice_document:issue", as_application=True
    )
    invoice_document_send: Any = mutation(
        invoice_document_send, InvoiceDocumentSendPayload, requires="invoice_document:send"
    )
