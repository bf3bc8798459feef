"""The door at which product back ends read the events that they missed (NOT-2)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.database import transaction
from services.event_resending import MOST_READ, read_events
from web.project import product_of
from web.rest import Malformed, answer, query_of, rest

PATH = "/api/v1/events"
DEFAULT_LIMIT = 100
LONGEST_ID = 100


async def show(request: Request) -> Response:
    """Events of the product after one, oldest first; `?after=evt_…&limit=100&installId=7`."""
    actor = await product_of(request)
    query = query_of(request, frozenset({"after", "limit", "installId"}))
    after = query.get("after")
    if after is not None and (not after.isprintable() or len(after) > LONGEST_ID):
        raise Malformed("after is the id of an event", field=("after",))
    async with transaction() as session:
        told, more = await read_events(
            session,
            actor,
            after=after,
            install_id=_whole(query.get("installId"), "installId", None, most=2**62),
            limit=_whole(query.get("limit"), "limit", DEFAULT_LIMIT, most=MOST_READ) or DEFAULT_LIMIT,
        )
    return answer({"events": told, "hasMore": more})


def _whole(text: str | None, name: str, default: int | None, *, most: int) -> int | None:
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 1 <= int(text) <= most):
        raise Malformed(f"{name} is a whole number from 1 to {most}", field=(name,))
    return int(text)


event_routes: list[BaseRoute] = [Route(PATH, rest(show), methods=["GET"])]
