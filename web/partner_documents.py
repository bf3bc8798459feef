"""Doors that signed links lead to: a document's file out, and into the local storage (PAR-3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from core.database import transaction
from core.errors import NotFound
from core.links import BadLink, check_link
from domain.file_names import ascii_name
from gateways.storage.interface import FileFacts, NoSuchFile
from gateways.storage.local import PATH as STORAGE
from gateways.storage.local import FileDiffers
from gateways.storage.registry import local_storage, storage
from services.partner_documents import opened_link
from services.partner_documents.links import PATH
from web.downloads import PRIVATE, no_file
from web.pages import page
from web.rest import answer, rest

FOUND, FORBIDDEN, GONE = 302, 403, 404
NO_CONTENT = 204
# Long enough to be followed at once: each look goes through our door, where it is logged (ACC-5).
DIRECT_LIFETIME = timedelta(minutes=1)
# A file is somebody else's words: it is saved, and where a browser shows it all the same, it runs nothing.
HEADERS = {**PRIVATE, "Content-Security-Policy": "sandbox; default-src 'none'"}


async def download(request: Request) -> Response:
    """The file, to whoever holds a link to it that has not expired."""
    try:
        async with transaction() as session:
            document = await opened_link(
                session, document_id=request.path_params["document_id"], query=request.query_params
            )
    except BadLink as error:
        return no_file("document", error)
    assert document.storage_key is not None, "links have no link to download them"
    assert document.file_name is not None, "a file has a name"
    assert document.content_type is not None, "a file has a type"
    disposition = (
        f'attachment; filename="{ascii_name(document.file_name)}"; '
        f"filename*=UTF-8''{quote(document.file_name, safe='')}"
    )
    keeper = storage()
    direct = keeper.direct_url(
        document.storage_key, disposition=disposition, content_type=document.content_type, lifetime=DIRECT_LIFETIME
    )
    if direct is not None:
        return RedirectResponse(direct, FOUND, headers=HEADERS)
    chunks = keeper.read(document.storage_key)
    try:
        first = await anext(chunks)
    except NoSuchFile:
        return page("No document here", "<p>Sorry: its file is lost. Tell us of it.</p>", GONE)
    return StreamingResponse(
        _from(first, chunks),
        media_type=document.content_type,
        headers={**HEADERS, "Content-Disposition": disposition, "Content-Length": str(document.size_bytes)},
    )


async def take(request: Request) -> Response:
    """The file that a link was made for: no other size, type or checksum; 204 once it is kept."""
    keeper = local_storage()
    if keeper is None:
        raise NotFound("files are not sent here")
    try:
        told = check_link(request.url.path, request.query_params)
    except BadLink as error:
        return answer({"error": {"code": error.code, "message": error.message}}, FORBIDDEN)
    facts = FileFacts(told["type"], int(told["size"]), told["sha256"])
    if request.headers.get("content-type") != facts.content_type:
        raise FileDiffers(f"the file was announced as {facts.content_type}; send it as that")
    await keeper.write(request.path_params["key"], facts, request.stream())
    return Response(status_code=NO_CONTENT)


async def _from(first: bytes, rest_of_it: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest_of_it:
        yield chunk


partner_document_routes: list[BaseRoute] = [
    Route(f"{PATH}/{{document_id:int}}", download, methods=["GET"]),
    Route(f"{STORAGE}/{{key:path}}", rest(take), methods=["PUT"]),
]
