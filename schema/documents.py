"""Invoices and acts as PDF, as the API shows them (INV-4)."""

from __future__ import annotations

from typing import Any

import strawberry

import models
from domain.documents import InvoiceDocumentKind
from planner.binding import (
    Node,
    any_of,
    bound,
    column,
    equals,
    filter_input,
    graphql_enum,
    object_value,
    order_input,
    plain,
    to_one,
    value,
)
from planner.scalars import DateTime
from schema.payload import KeyedInput, Payload

graphql_enum(InvoiceDocumentKind)

InvoiceDocumentFilter = filter_input(
    "InvoiceDocument",
    {
        "partner_id": equals(models.InvoiceDocument.partner_id, "Only of this partner.", id_of="Partner"),
        "invoice_id": equals(models.InvoiceDocument.invoice_id, "Only of this invoice.", id_of="Invoice"),
        "kind": any_of(models.InvoiceDocument.kind, "Only of these kinds."),
    },
)
InvoiceDocumentOrder = order_input("InvoiceDocument")


@bound(
    models.InvoiceDocument,
    requires="invoice_document:read",
    description="An invoice or act as PDF, kept as it was issued (INV-4).",
)
class InvoiceDocument(Node):
    """An invoice or act as PDF."""

    kind: Any = column(models.InvoiceDocument.kind, "What it is.")
    number: str = column(models.InvoiceDocument.number, "The invoice's number, which its act carries too.")
    dated_at: Any = column(
        models.InvoiceDocument.dated_at, "The moment whose day, in the legal entity's time zone, it carries."
    )
    size_bytes: int = column(models.InvoiceDocument.size_bytes, "Size of the PDF, bytes.")
    sha256: str = column(models.InvoiceDocument.sha256, "SHA-256 of the PDF, in hex.")
    created_at: Any = column(models.InvoiceDocument.created_at, "When it was made.")
    invoice: Any = to_one("schema.billing.Invoice", models.InvoiceDocument.invoice_id, "What it is about.")
    partner: Any = to_one("schema.partners.Partner", models.InvoiceDocument.partner_id, "Whom it is for.")


@plain(requires="invoice_document:read", description="Where a document is downloaded.")
class InvoiceDocumentLink:
    """Where a document is downloaded."""

    url: str = value("The PDF for whoever holds this address, without signing in.")
    expires_at: DateTime = value("Until when it can be opened.")


@strawberry.input(description="A document to issue.")
class InvoiceDocumentIssueInput(KeyedInput):
    """A document to issue."""

    invoice_id: strawberry.ID = strawberry.field(description="The invoice.")
    kind: InvoiceDocumentKind = strawberry.field(description="What to issue.")


@strawberry.input(description="A document to send by email.")
class InvoiceDocumentSendInput(KeyedInput):
    """A document to send by email."""

    invoice_id: strawberry.ID = strawberry.field(description="The invoice.")
    kind: InvoiceDocumentKind = strawberry.field(description="What to send; issued where that was not done before.")
    contact_id: strawberry.ID | None = strawberry.field(
        default=None, description="Who at the partner gets it; the primary contact unless told."
    )
    locale: str = strawberry.field(default="ru", description="Language of the letter, `ru` or `en`.")


@plain(requires="", description="A document, and the letter that it goes with.")
class InvoiceDocumentSendPayload(Payload):
    """A document, and the letter that it goes with."""

    invoice_document: Any = object_value("schema.documents.InvoiceDocument", "The document; null on user errors.")
    mail: Any = object_value("schema.mail.Mail", "The letter; null on user errors.", requires="mail:read")


@plain(requires="", description="A document, and where it is downloaded.")
class InvoiceDocumentPayload(Payload):
    """A document, and where it is downloaded."""

    invoice_document: Any = object_value("schema.documents.InvoiceDocument", "The document; null on user errors.")
    link: InvoiceDocumentLink | None = value("Where it is downloaded; null on user errors.")
