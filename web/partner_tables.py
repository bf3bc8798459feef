"""Doors for files: partners in, partners, licences and payments out (PAR-5)."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.database import transaction
from core.errors import NotFound, Unauthenticated
from core.principal import Principal
from policies.scopes import require
from services.partner_tables import TableFormat, read_table
from services.partner_transfer import Exported, export, import_partners
from web.auth import principal_of_scope
from web.body import read_body
from web.rest import answer, rest

EXPORT = "/api/v1/export"
IMPORT = "/api/v1/import/partners"
FILE_LIMIT_BYTES = 10_000_000
MEDIA_TYPES = {
    TableFormat.CSV: "text/csv; charset=utf-8",
    TableFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


async def export_table(request: Request) -> Response:
    """All rows that the caller may read, as a file; columns beyond the caller's permissions are left out."""
    actor = await _actor(request)
    name, _, ending = request.path_params["file"].partition(".")
    if name not in list(Exported) or ending not in list(TableFormat):
        raise NotFound("there are partners, licences and payments, each as .csv and .xlsx")
    async with transaction(actor) as session:
        content = await export(session, actor, Exported(name), TableFormat(ending))
    return Response(
        content,
        media_type=MEDIA_TYPES[TableFormat(ending)],
        headers={
            "Content-Disposition": f'attachment; filename="{name}.{ending}"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


async def import_table(request: Request) -> Response:
    """A CSV or XLSX file as the body; `?dryRun=true` reports every bad row and writes nothing."""
    actor = await _actor(request)
    require(actor, "partner:write", "import of partners")
    content = await read_body(request, FILE_LIMIT_BYTES)
    table = await asyncio.to_thread(read_table, content)
    dry_run = request.query_params.get("dryRun", "false") == "true"
    report = await import_partners(actor, table, dry_run=dry_run)
    written = not dry_run and not report.problems
    return answer({**asdict(report), "written": written}, 422 if report.problems else 200)


async def _actor(request: Request) -> Principal:
    """The caller. Cookies do not count: another site's page could send them along."""
    if "authorization" not in request.headers:
        raise Unauthenticated("send a token as `Authorization: Bearer …`")
    return await principal_of_scope(request.scope)


partner_table_routes: list[BaseRoute] = [
    Route(f"{EXPORT}/{{file}}", rest(export_table), methods=["GET"]),
    Route(IMPORT, rest(import_table), methods=["POST"]),
]
