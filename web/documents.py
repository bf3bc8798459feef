"""The door that signed links to documents lead to (INV-4)."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.database import transaction
from domain.documents import InvoiceDocumentKind
from services.documents import BadLink, opened_link
from services.documents.links import PATH
from web.downloads import PRIVATE, no_file

NAMES = {InvoiceDocumentKind.INVOICE: "Счёт", InvoiceDocumentKind.ACT: "Акт"}


async def download(request: Request) -> Response:
    """The PDF, to whoever holds a link to it that has not expired."""
    try:
        async with transaction() as session:
            document = await opened_link(
                session, document_id=request.path_params["document_id"], query=request.query_params
            )
    except BadLink as error:
        return no_file("document", error)
    name = quote(f"{NAMES[document.kind]} {document.number}.pdf")
    return Response(
        document.content,
        media_type="application/pdf",
        headers={
            **PRIVATE,
            "Content-Disposition": f"inline; filename=\"{document.number}.pdf\"; filename*=UTF-8''{name}",
        },
    )


document_routes: list[BaseRoute] = [Route(f"{PATH}/{{document_id:int}}", download, methods=["GET"])]
