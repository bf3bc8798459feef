"""Doors to documents of partners (PAR-3)."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, cast

import strawberry

from core.database import transaction
from domain import fields
from gateways.storage.interface import Upload
from planner.binding import function_root
from planner.context import RunContext
from planner.scalars import write_datetime
from resolvers.inputs import given, key_of, optional_key
from resolvers.mutation import MutationContext, mutation
from resolvers.values import link_of
from schema.partner_documents import (
    PartnerDocumentCompleteInput,
    PartnerDocumentCreateInput,
    PartnerDocumentCreatePayload,
    PartnerDocumentDeleteInput,
    PartnerDocumentFileInput,
    PartnerDocumentLink,
    PartnerDocumentPayload,
    PartnerDocumentUpdateInput,
)
from services import partner_documents

_NULLS = frozenset({"contract_id", "replaces_id", "file", "url"})


async def partner_document_link(
    context: RunContext, id: Annotated[strawberry.ID, strawberry.argument(description="The document.")]
) -> dict[str, Any]:
    """A link to download a document; good for 15 minutes, for whoever holds it (PAR-3)."""
    async with transaction(context.principal) as session:
        link = await partner_documents.download_link(
            session, context.principal, document_id=key_of(id, "PartnerDocument", "id")
        )
    return link_of(link)


async def partner_document_create(context: MutationContext, input: PartnerDocumentCreateInput) -> dict[str, Any]:
    """Enter a document of a partner: a link, or a file, which is then sent to the address in the answer (PAR-3)."""
    asked = given(input, nullable=_NULLS)
    file: PartnerDocumentFileInput | None = asked.pop("file")
    url = asked.pop("url")
    if (file is None) == (url is None):
        raise fields.InvalidValue("give a file or a url, and not both", field=fields.path("file"))
    partner_id = key_of(asked.pop("partner_id"), "Partner", "partnerId")
    values = _values(asked)
    if url is not None:
        document = await partner_documents.enter_link(
            context.session, context.actor, partner_id=partner_id, values=values, url=url
        )
        return {"document": document.id, "upload": None}
    assert file is not None
    offer = partner_documents.FileOffer(file.name, file.content_type, file.size_bytes, file.sha256)
    document, upload = await partner_documents.announce_file(
        context.session, context.actor, partner_id=partner_id, values=values, file=offer
    )
    return {"document": document.id, "upload": _told(upload)}


async def partner_document_complete(context: MutationContext, input: PartnerDocumentCompleteInput) -> dict[str, Any]:
    """Tell that a document's file was sent; it is looked into, and becomes AVAILABLE or REJECTED (PAR-3)."""
    document = await partner_documents.uploaded(
        context.session, context.actor, document_id=key_of(input.id, "PartnerDocument", "id")
    )
    context.after_commit(partial(partner_documents.inspect, document.id))
    return {"document": document.id}


async def partner_document_update(context: MutationContext, input: PartnerDocumentUpdateInput) -> dict[str, Any]:
    """Change a document's title, kind, contract, or whether its partner sees it (PAR-3)."""
    document = await partner_documents.update_document(
        context.session,
        context.actor,
        document_id=key_of(input.id, "PartnerDocument", "id"),
        version=input.version,
        values=_values(given(input, nullable=frozenset({"contract_id"}))),
    )
    return {"document": document.id}


async def partner_document_delete(context: MutationContext, input: PartnerDocumentDeleteInput) -> dict[str, Any]:
    """Take a document away from everybody; its file is erased some weeks later (PAR-3)."""
    document = await partner_documents.delete_document(
        context.session,
        context.actor,
        document_id=key_of(input.id, "PartnerDocument", "id"),
        version=input.version,
    )
    return {"document": document.id}


def _values(asked: dict[str, Any]) -> partner_documents.DocumentValues:
    for name, type_name in (("contract_id", "PartnerContract"), ("replaces_id", "PartnerDocument")):
        if name in asked:
            field = "contractId" if name == "contract_id" else "replacesId"
            asked[name] = optional_key(asked[name], type_name, field)
    return cast(partner_documents.DocumentValues, asked)


def _told(upload: Upload) -> dict[str, Any]:
    return {
        "method": "PUT",
        "url": upload.url,
        "headers": [{"name": name, "value": value} for name, value in upload.headers],
        "expires_at": write_datetime(upload.expires_at),
    }


@strawberry.type(description="Queries of partners' documents beyond the tables.")
class PartnerDocumentQueries:
    """Queries of partners' documents beyond the tables."""

    partner_document_link: Any = function_root(
        partner_document_link, PartnerDocumentLink, requires="partner_document:read"
    )


@strawberry.type(description="Mutations of partners' documents.")
class PartnerDocumentMutations:
    """Mutations of partners' documents."""

    partner_document_create: Any = mutation(
        partner_document_create, PartnerDocumentCreatePayload, requires="partner_document:write"
    )
    partner_document_complete: Any = mutation(
        partner_document_complete, PartnerDocumentPayload, requires="partner_document:write"
    )
    partner_document_update: Any = mutation(
        partner_document_update, PartnerDocumentPayload, requires="partner_document:write"
    )
    partner_document_delete: Any = mutation(
        partner_document_delete, PartnerDocumentPayload, requires="partner_document:write"
    )
