"""Doors for files: partners and payments in, exports out (PAR-5)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from core.database import transaction
from core.errors import Unauthenticated, UserError
from core.ids import encode_id
from core.links import BadLink
from core.principal import Principal
from domain.bulk import BulkOperationKind, TableFormat
from services import bulk
from services.bulk.files import PATH
from web.auth import principal_of_scope
from web.body import read_body
from web.downloads import PRIVATE, no_file
from web.rest import answer, query_of, rest, yes

IMPORTS = {
    "/api/v1/import/partners": BulkOperationKind.PARTNER_IMPORT,
    "/api/v1/import/payments": BulkOperationKind.PAYMENT_IMPORT,
}
FILE_LIMIT_BYTES = 10_000_000
MEDIA_TYPES = {
    TableFormat.CSV: "text/csv; charset=utf-8",
    TableFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


async def import_table(request: Request) -> Response:
    """A CSV or XLSX file as the body; `?dryRun=true` reports every bad row and writes nothing."""
    actor = await _actor(request)
    kind = IMPORTS[request.url.path]
    # Asked again with the file; who may not import need not send it.
    bulk.require_import(actor, kind)
    dry_run = yes(query_of(request, frozenset({"dryRun"})), "dryRun")
    content = await read_body(request, FILE_LIMIT_BYTES)
    async with transaction(actor) as session:
        operation = await bulk.request_import(session, actor, kind=kind, content=content, dry_run=dry_run)
    told = {"id": encode_id("BulkOperation", operation.id), "status": operation.status, "dryRun": dry_run}
    return answer({"bulkOperation": told}, 202)


async def download(request: Request) -> Response:
    """The file of an export, to whoever holds a link to it that has not expired."""
    operation_id = request.path_params["operation_id"]
    try:
        async with transaction() as session:
            operation = await bulk.opened_link(session, operation_id=operation_id, query=request.query_params)
    except (BadLink, UserError) as error:
        return no_file("file", error)
    assert operation.format is not None
    name = f"{operation.kind.value.lower().replace('_', '-')}-{operation_id}.{operation.format.ending}"
    return StreamingResponse(
        bulk.read_file(operation_id),
        media_type=MEDIA_TYPES[operation.format],
        headers={
            **PRIVATE,
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Length": str(operation.size_bytes),
        },
    )


async def _actor(request: Request) -> Principal:
    """The caller. Cookies do not count: another site's page could send them along."""
    if "authorization" not in request.headers:
        raise Unauthenticated("send a token as `Authorization: Bearer …`")
    return await principal_of_scope(request.scope)


bulk_routes: list[BaseRoute] = [
    *(Route(path, rest(import_table), methods=["POST"]) for path in IMPORTS),
    Route(f"{PATH}/{{operation_id:int}}/file", download, methods=["GET"]),
]
