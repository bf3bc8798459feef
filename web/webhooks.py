"""Doors for gateways' notifications: checked, stored raw, answered at once; a worker applies them (INV-3)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from core.database import transaction
from core.errors import NotFound
from core.logging import get_logger
from gateways.interface import ForgedNotification, MalformedNotification
from gateways.registry import gateway
from services import billing
from web.body import BodyTooLarge, read_body

BODY_LIMIT_BYTES = 100_000

log = get_logger("webhooks")


async def receive(request: Request) -> Response:
    """Keep a notification and answer as its gateway wants it; what is not genuine leaves nothing behind."""
    name = request.path_params["gateway"]
    try:
        accepted = gateway(name).accepted
        raw = (await read_body(request, BODY_LIMIT_BYTES)).decode()
        # PostgreSQL keeps no NUL in text, and no gateway sends one.
        if "\0" in raw:
            raise MalformedNotification("the notification has NUL characters")
        async with transaction() as session:
            await billing.receive_notification(session, name, raw, dict(request.headers))
    except NotFound as error:
        return PlainTextResponse(error.message, 404)
    except BodyTooLarge as error:
        return PlainTextResponse(error.message, 413)
    except (MalformedNotification, UnicodeDecodeError) as error:
        log.warning("malformed notification", gateway=name, error=type(error).__name__)
        return PlainTextResponse("the notification cannot be read", 400)
    except ForgedNotification as error:
        log.warning("forged notification", gateway=name, ip=request.client.host if request.client else None)
        return PlainTextResponse(error.message, 403)
    return PlainTextResponse(accepted)


webhook_routes: list[BaseRoute] = [Route("/webhooks/{gateway}", receive, methods=["POST"])]
