"""What is answered where no door is, or where a door broke: a page for browsers, a line for programs."""

from __future__ import annotations

from html import escape

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from core.errors import KontoraError
from core.logging import get_logger
from core.out_of_reach import DatabaseOutOfReach, is_out_of_reach
from core.request import current_request
from web.body import BodyTooLarge
from web.pages import page
from web.unforeseen import RETRY_AFTER_SECONDS

REFRESH_SECONDS = 3
# What may mean that the database is out of reach.
DATABASE_FAILURES = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, DatabaseOutOfReach)

log = get_logger("web")

_LOST = '<p>There is nothing at this address.</p><p><a href="/">To the start</a></p>'
_AWAY = "<p>We cannot answer just now. This page looks again by itself.</p>"
_BROKEN = "<p>Something went wrong on our side.</p><p>Tell us this request id: <code>{request_id}</code></p>"


async def refused(request: Request, error: Exception) -> Response:
    """An HTTP error that a route or the router raised."""
    assert isinstance(error, HTTPException)
    if not _for_a_person(request):
        return PlainTextResponse(error.detail, error.status_code, headers=error.headers)
    text = _LOST if error.status_code == 404 else f"<p>{escape(error.detail)}.</p>"
    response = page("Not found" if error.status_code == 404 else "Not possible", text, error.status_code)
    response.headers.update(error.headers or {})
    return response


async def unread(request: Request, error: Exception) -> Response:
    """A form of a page that could not be read: too large, or none."""
    assert isinstance(error, KontoraError)
    status = 413 if isinstance(error, BodyTooLarge) else 400
    return await refused(request, HTTPException(status, f"{error.message[0].upper()}{error.message[1:]}"))


async def out_of_reach(request: Request, error: Exception) -> Response:
    """The database refuses or is away: a browser asks again by itself.

    Raises:
        Exception: the error, where it says more than that.
    """
    if not is_out_of_reach(error):
        raise error
    log.warning("the database is out of reach", error=type(error).__name__)
    response = page("One moment", _AWAY, 503) if _for_a_person(request) else PlainTextResponse("try again soon", 503)
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if request.method == "GET":
        response.headers["Refresh"] = str(REFRESH_SECONDS)
    return response


async def broken(request: Request, _error: Exception) -> Response:
    """An error that nobody foresaw; `RequestMiddleware` logs it under the request id, and no detail is told."""
    request_id = current_request().request_id
    text = _BROKEN.format(request_id=escape(request_id))
    plain = f"something went wrong on our side; request id {request_id}"
    return page("Our mistake", text, 500) if _for_a_person(request) else PlainTextResponse(plain, 500)


def _for_a_person(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "").lower()
