"""Reads request bodies and forms without taking more than is allowed."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from core.errors import KontoraError

FORM_LIMIT_BYTES = 20_000
MOST_FIELDS = 20


class BodyTooLarge(KontoraError):
    """The body is over its limit; the rest was not read."""

    code = "BODY_TOO_LARGE"


class NotAForm(KontoraError):
    """The body is not what a form of a page sends."""

    code = "NOT_A_FORM"

    def __init__(self) -> None:
        super().__init__("the body is not a form")


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


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a small form without files; of a field that is there twice the last counts.

    Raises:
        BodyTooLarge: it is over `FORM_LIMIT_BYTES`.
        NotAForm: it is not encoded as a form, or has too many fields.
    """
    body = await read_body(request, FORM_LIMIT_BYTES)
    try:
        return dict(
            parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
        )
    except ValueError:
        raise NotAForm from None
