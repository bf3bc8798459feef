"""Documents of partners as the API shows them (PAR-3)."""

from __future__ import annotations

from typing import Any

import strawberry

import models
from domain.partner_documents import PartnerDocumentKind, PartnerDocumentRejection, PartnerDocumentStatus
from planner.binding import (
    Node,
    any_of,
    at_least,
    before,
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

for _enum in (PartnerDocumentKind, PartnerDocumentRejection, PartnerDocumentStatus):
    graphql_enum(_enum)

PartnerDocumentFilter = filter_input(
    "PartnerDocument",
    {
        "partner_id": equals(models.PartnerDocument.partner_id, "Only of this partner.", id_of="Partner"),
        "contract_id": equals(models.PartnerDocument.contract_id, "Only of this contract.", id_of="PartnerContract"),
        "kind": any_of(models.PartnerDocument.kind, "Only of these kinds."),
        "status": any_of(models.PartnerDocument.status, "Only in these states."),
        "created_from": at_least(models.PartnerDocument.created_at, "Entered at this moment or later."),
        "created_before": before(models.PartnerDocument.created_at, "Entered before this moment."),
    },
)
PartnerDocumentOrder = order_input("PartnerDocument", {"CREATED_AT": models.PartnerDocument.created_at})


@bound(
    models.PartnerDocument,
    requires="partner_document:read",
    description="A file or a link that belongs to a partner (PAR-3). Partners see those that are meant for them.",
)
class PartnerDocument(Node):
    """A file or a link that belongs to a partner."""

    kind: Any = column(models.PartnerDocument.kind, "What it is.")
    title: str = column(models.PartnerDocument.title, "What people call it.")
    status: Any = column(models.PartnerDocument.status, "How far it is.")
    rejection: Any = column(models.PartnerDocument.rejection, "Why its file was refused; null where it was not.")
    visible_to_partner: bool = column(models.PartnerDocument.visible_to_partner, "Whether the partner sees it.")
    url: Any = column(models.PartnerDocument.url, "Where it is kept; null for a file.")
    file_name: Any = column(models.PartnerDocument.file_name, "Name of the file; null for a link.")
    content_type: Any = column(models.PartnerDocument.content_type, "MIME type of the file; null for a link.")
    size_bytes: Any = column(models.PartnerDocument.size_bytes, "Size of the file, bytes; null for a link.")
    sha256: Any = column(models.PartnerDocument.sha256, "SHA-256 of the file, in hex; null for a link.")
    available_at: Any = column(models.PartnerDocument.available_at, "Since when it can be read.")
    deleted_at: Any = column(models.PartnerDocument.deleted_at, "When it was taken away or replaced.")
    version: int = column(models.PartnerDocument.version, "Version to send back with a change.")
    created_at: Any = column(models.PartnerDocument.created_at, "When it was entered.")
    updated_at: Any = column(models.PartnerDocument.updated_at, "When it was last changed.")
    partner: Any = to_one(
        "schema.partners.Partner", models.PartnerDocument.partner_id, "Whose it is.", requires="partner:read"
    )
    contract: Any = to_one(
        "schema.partner_card.PartnerContract",
        models.PartnerDocument.contract_id,
        "The contract that it belongs to.",
        requires="partner_contract:read",
    )
    replaces: Any = to_one(
        "schema.partner_documents.PartnerDocument", models.PartnerDocument.replaces_id, "The version before it."
    )
    uploaded_by: Any = to_one(
        "schema.access.User", models.PartnerDocument.uploaded_by_user_id, "Who entered it.", requires="user:read"
    )


@plain(requires="partner_document:write", description="A header of a request.")
class UploadHeader:
    """A header of a request."""

    name: str = value("Its name.")
    value: str = value("Its value.")


@plain(requires="partner_document:write", description="The request that sends the announced file, and no other.")
class PartnerDocumentUpload:
    """The request that sends the announced file."""

    method: str = value("Its method.")
    url: str = value("Where it goes. Whoever has this address can send the file.")
    headers: list[UploadHeader] = value("What must be sent along, beside Content-Length.")
    expires_at: DateTime = value("Until when the file can be sent.")


@plain(requires="partner_document:read", description="Where a document is downloaded.")
class PartnerDocumentLink:
    """Where a document is downloaded."""

    url: str = value("The file for whoever holds this address, without signing in.")
    expires_at: DateTime = value("Until when it can be opened.")


@strawberry.input(description="What is said of a file before it is sent.")
class PartnerDocumentFileInput:
    """What is said of a file before it is sent."""

    name: str = strawberry.field(description="Its name; its ending must fit the type.")
    content_type: str = strawberry.field(description="Its MIME type; its content is compared with it.")
    size_bytes: int = strawberry.field(description="Its size, bytes.")
    sha256: str = strawberry.field(description="SHA-256 of its bytes, in lower-case hex.")


@strawberry.input(description="A new document: a file or a link.")
class PartnerDocumentCreateInput(KeyedInput):
    """A new document: a file or a link."""

    partner_id: strawberry.ID = strawberry.field(description="The partner.")
    kind: PartnerDocumentKind = strawberry.field(description="What it is.")
    title: str | None = strawberry.field(
        default=strawberry.UNSET, description="What people call it; the file's name unless told."
    )
    contract_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The contract that it belongs to."
    )
    visible_to_partner: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether the partner sees it; no unless told."
    )
    replaces_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The document that is taken away as soon as this one is available."
    )
    file: PartnerDocumentFileInput | None = strawberry.field(
        default=None, description="The file that will be sent; either this or `url`."
    )
    url: str | None = strawberry.field(default=None, description="Where it is kept, http or https.")


@strawberry.input(description="A document whose file was sent.")
class PartnerDocumentCompleteInput(KeyedInput):
    """A document whose file was sent."""

    id: strawberry.ID = strawberry.field(description="The document.")


@strawberry.input(description="Changes of a document; what is left out stays as it is.")
class PartnerDocumentUpdateInput(KeyedInput):
    """Changes of a document."""

    id: strawberry.ID = strawberry.field(description="The document.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")
    kind: PartnerDocumentKind | None = strawberry.field(default=strawberry.UNSET, description="What it is.")
    title: str | None = strawberry.field(default=strawberry.UNSET, description="What people call it.")
    contract_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The contract that it belongs to."
    )
    visible_to_partner: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether the partner sees it."
    )


@strawberry.input(description="A document to take away.")
class PartnerDocumentDeleteInput(KeyedInput):
    """A document to take away."""

    id: strawberry.ID = strawberry.field(description="The document.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")


@plain(requires="", description="A document after the change.")
class PartnerDocumentPayload(Payload):
    """A document after the change."""

    document: Any = object_value(
        "schema.partner_documents.PartnerDocument", "The document; null where there are user errors."
    )


@plain(requires="", description="A new document, and how its file is sent.")
class PartnerDocumentCreatePayload(PartnerDocumentPayload):
    """A new document, and how its file is sent."""

    upload: PartnerDocumentUpload | None = value("How its file is sent; null for a link and on user errors.")
