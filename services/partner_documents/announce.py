"""New documents: a file is announced and gets an address to be sent to; a link is there at once (PAR-3)."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypedDict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict, NotFound, UserError
from core.principal import Principal
from core.settings import get_settings
from domain import fields
from domain.file_names import ending_of, safe_name
from domain.partner_documents import FILE_TYPES, PartnerDocumentKind, PartnerDocumentStatus
from gateways.storage.interface import FileFacts, Upload
from gateways.storage.registry import storage
from models import Partner, PartnerContract, PartnerDocument
from policies.scopes import scoped
from services import audit
from services.changes import unique
from services.loading import load
from services.partner_documents.states import make_available

_SHA256 = re.compile(r"[0-9a-f]{64}")


class FileTooLarge(UserError):
    """The file is larger than is taken; says how large it may be."""

    code = "FILE_TOO_LARGE"


class FileTypeRefused(UserError):
    """Files of this type are not taken, or the name's ending belongs to another type; says which are taken."""

    code = "FILE_TYPE_REFUSED"


@dataclass(frozen=True)
class FileOffer:
    """What the caller says of a file before it is sent.

    Parameters:
        sha256: of its bytes, in hex.
    """

    name: str
    content_type: str
    size_bytes: int
    sha256: str


class DocumentValues(TypedDict, total=False):
    """What may be said of a document; what is left out stays as it is."""

    kind: PartnerDocumentKind
    title: str
    contract_id: int | None
    visible_to_partner: bool
    replaces_id: int | None


async def announce_file(
    session: AsyncSession, actor: Principal, *, partner_id: int, values: DocumentValues, file: FileOffer
) -> tuple[PartnerDocument, Upload]:
    """Enter a document whose file is about to come, with the request that sends it.

    Raises:
        NotFound: there is no such partner, contract or replaced document in the caller's reach.
        Conflict: the replaced document is not there any more, or has a new version already.
        FileTooLarge: over the limit.
        FileTypeRefused: not a type that is taken.
        UserError: another value is not fit for its field.
    """
    facts, name = _checked_file(file)
    lifetime = timedelta(minutes=get_settings().document_upload_minutes)
    document = await _new(session, actor, partner_id, {"title": name, **values})
    document.status = PartnerDocumentStatus.PENDING
    document.storage_key = f"partner-documents/{secrets.token_hex(20)}"
    document.file_name, document.content_type = name, facts.content_type
    document.size_bytes, document.sha256 = facts.size_bytes, facts.sha256
    document.upload_until = clock.now() + lifetime
    await _written(session, actor, document, values)
    return document, storage().upload(document.storage_key, facts, lifetime=lifetime)


async def enter_link(
    session: AsyncSession, actor: Principal, *, partner_id: int, values: DocumentValues, url: str
) -> PartnerDocument:
    """Enter a document that is kept elsewhere; it is available at once.

    Raises:
        NotFound: there is no such partner, contract or replaced document in the caller's reach.
        Conflict: the replaced document is not there any more, or has a new version already.
        UserError: a value is not fit for its field.
    """
    address = fields.web_address(url, "url")
    if address is None:
        raise fields.InvalidValue("url must not be empty", field=fields.path("url"))
    document = await _new(session, actor, partner_id, {"title": address[: fields.LONGEST_LINE_CHARS], **values})
    document.status, document.url = PartnerDocumentStatus.SCANNING, address
    await _written(session, actor, document, values)
    await make_available(session, actor, document)
    return document


async def contract_of(session: AsyncSession, actor: Principal, partner_id: int, contract_id: int | None) -> int | None:
    """The contract's key, once it is sure that it is this partner's.

    Raises:
        NotFound: it is not.
    """
    if contract_id is not None:
        wanted = select(PartnerContract.id).where(
            PartnerContract.id == contract_id, PartnerContract.partner_id == partner_id
        )
        if await session.scalar(scoped(wanted, PartnerContract, actor)) is None:
            raise NotFound.of("PartnerContract", field=fields.path("contractId"))
    return contract_id


async def _new(session: AsyncSession, actor: Principal, partner_id: int, values: DocumentValues) -> PartnerDocument:
    await load(session, actor, Partner, partner_id, field="partnerId")
    return PartnerDocument(
        partner_id=partner_id,
        kind=values["kind"],
        title=fields.line(values["title"], "title"),
        contract_id=await contract_of(session, actor, partner_id, values.get("contract_id")),
        visible_to_partner=values.get("visible_to_partner", False),
        replaces_id=await _replaced(session, actor, partner_id, values.get("replaces_id")),
        uploaded_by_user_id=actor.user_id,
    )


async def _replaced(session: AsyncSession, actor: Principal, partner_id: int, replaces_id: int | None) -> int | None:
    if replaces_id is not None:
        wanted = select(PartnerDocument.status).where(
            PartnerDocument.id == replaces_id, PartnerDocument.partner_id == partner_id
        )
        status = await session.scalar(scoped(wanted, PartnerDocument, actor))
        if status is None:
            raise NotFound.of("PartnerDocument", field=fields.path("replacesId"))
        if status != PartnerDocumentStatus.AVAILABLE:
            raise Conflict(f"the document to replace is {status}", field=fields.path("replacesId"))
    return replaces_id


async def _written(session: AsyncSession, actor: Principal, document: PartnerDocument, values: DocumentValues) -> None:
    async with unique(
        session, "uq_partner_documents_replaces", "a new version of the document is on its way", "replacesId"
    ):
        session.add(document)
    after: dict[str, Any] = {name: getattr(document, name) for name in values}
    after |= {name: getattr(document, name) for name in ("title", "file_name", "size_bytes", "sha256", "url")}
    await audit.record(session, actor, "partner_document.create", document, before=None, after=after)


def _checked_file(file: FileOffer) -> tuple[FileFacts, str]:
    settings = get_settings()
    taken = {kind: endings for kind, endings in FILE_TYPES.items() if endings[0] in settings.document_types}
    name = safe_name(file.name)
    if file.content_type not in taken:
        raise FileTypeRefused(
            f"files of the type {file.content_type[:100]!r} are not taken; these are: {', '.join(taken)}",
            field=(*fields.path("file"), "contentType"),
        )
    if ending_of(name) not in taken[file.content_type]:
        raise FileTypeRefused(
            f"the name of such a file ends with .{' or .'.join(taken[file.content_type])}",
            field=(*fields.path("file"), "name"),
        )
    if not 1 <= file.size_bytes <= settings.document_limit_bytes:
        raise FileTooLarge(
            f"a file has 1 to {settings.document_limit_bytes} bytes; this one has {file.size_bytes}",
            field=(*fields.path("file"), "sizeBytes"),
        )
    if not _SHA256.fullmatch(file.sha256):
        raise fields.InvalidValue("sha256 is 64 lower-case hex digits", field=(*fields.path("file"), "sha256"))
    return FileFacts(file.content_type, file.size_bytes, file.sha256), name
