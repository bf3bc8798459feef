"""The door that Prometheus knocks at (MON-2)."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from core.crypto import same
from core.database import transaction
from core.settings import get_settings
from services import monitoring
from web.here import from_this_machine


async def metrics(request: Request) -> Response:
    """All figures, to whoever has the token; a sandbox without a token tells its own machine."""
    if not _may(request):
        return PlainTextResponse("send the token of KONTORA_METRICS_TOKEN", 401, {"WWW-Authenticate": "Bearer"})
    async with transaction() as session:
        return Response(await monitoring.figures(session), media_type=CONTENT_TYPE_LATEST)


def _may(request: Request) -> bool:
    settings = get_settings()
    if settings.metrics_token is not None:
        return same(request.headers.get("authorization", ""), f"Bearer {settings.metrics_token.get_secret_value()}")
    return from_this_machine(request)


metrics_routes: list[BaseRoute] = [Route("/metrics", metrics, methods=["GET"])]
