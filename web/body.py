"""Reads request bodies without taking more than is allowed."""

from __future__ import annotations

from starlette.requests import Request

from core.errors import KontoraError


class BodyTooLarge(KontoraError):
    """The body is over its limit; the rest was not read."""

    code = "BODY_TOO_LARGE"


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The body.

    Raises:
        BodyTooLarge: it is over ``limit_bytes``.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise BodyTooLarge(f"the body is over {limit_bytes} bytes")
    return bytes(body)
