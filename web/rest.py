"""What all REST doors share: JSON in, JSON out, and failures as `{"error": {code, message, field}}` (ACC-7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from core.errors import Conflict, Forbidden, KontoraError, NotFound, Unauthenticated, UserError
from core.logging import get_logger
from core.rates import RateLimited
from core.request import current_request
from web.body import BodyTooLarge, read_body
from web.unforeseen import RETRY_AFTER_SECONDS, masked, status_of

BODY_LIMIT_BYTES = 1_000_000
JSON = "application/json"
LARGEST_KEY = 2**63 - 1

log = get_logger("rest")
Handler = Callable[[Request], Awaitable[Response]]

# The first that fits; others are 422.
_STATUSES: Mapping[str, int] = MappingProxyType(
    {"INSUFFICIENT_COINS": 402, "MALFORMED": 400, "RATE_LIMITED": 429, "INVALID_IDEMPOTENCY_KEY": 400}
)


class Malformed(UserError):
    """The body is not what this door takes."""

    code = "MALFORMED"


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer; decimals are strings, moments RFC 3339 in UTC."""
    body = orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z)
    return Response(body, status, media_type=JSON, headers={"Cache-Control": "no-store", **(headers or {})})


def failure(error: KontoraError, **more: Any) -> Response:
    """The JSON answer of a failure."""
    status = _status(error)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.retry_after_seconds)
    return answer({"error": {**told_error(error), **more}}, status, headers)


def told_error(error: KontoraError) -> dict[str, Any]:
    """A failure as all doors tell it."""
    told: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.field:
        told["field"] = ".".join(part for part in error.field if part != "input")
    return told


def rest(handler: Handler) -> Handler:
    """A door whose typed failures are told, and whose others are masked with the request's id."""

    async def door(request: Request) -> Response:
        try:
            return await handler(request)
        except (UserError, Forbidden, Unauthenticated) as error:
            return failure(error)
        except BodyTooLarge as error:
            return answer({"error": {"code": error.code, "message": error.message}}, 413)
        except Exception as error:  # noqa: BLE001 - logged whole, told masked
            hidden = masked(error, log, "rest_door_failed")
            status = status_of(hidden)
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
            told = {**told_error(hidden), "requestId": current_request().request_id}
            return answer({"error": told}, status, headers)

    return door


async def json_object(request: Request, limit_bytes: int = BODY_LIMIT_BYTES) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        Malformed: not JSON in UTF-8, or not an object.
        BodyTooLarge: over the limit.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise Malformed(f"send a body of the type {JSON}")
    try:
        body = orjson.loads(await read_body(request, limit_bytes))
    except orjson.JSONDecodeError:
        raise Malformed("the body is not JSON") from None
    if not isinstance(body, dict):
        raise Malformed("the body is not a JSON object")
    return body


def query_of(request: Request, known: frozenset[str]) -> dict[str, str]:
    """The parameters of the address; a misspelt `dryRun` must not be taken for none.

    Raises:
        Malformed: one is unknown, or is there twice.
    """
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    wrong = next((name for name in names if name not in known or names.count(name) > 1), None)
    if wrong is not None:
        told = "is there twice" if wrong in known else f"is unknown; there are {', '.join(sorted(known))}"
        raise Malformed(f"the parameter {wrong[:40]!r} {told}", field=(wrong[:40],))
    return dict(given)


def yes(query: Mapping[str, str], name: str) -> bool:
    """Whether a parameter of the address says `true`; left out, it says no.

    Raises:
        Malformed: it says anything but `true` or `false`.
    """
    told = query.get(name, "false")
    if told not in ("true", "false"):
        raise Malformed(f"{name} is true or false", field=(name,))
    return told == "true"


def path_key(request: Request, name: str, noun: str) -> int:
    """The number of a row in the path.

    Raises:
        NotFound: no row has numbers like this.
    """
    found: int = request.path_params[name]
    if not 0 < found <= LARGEST_KEY:
        raise NotFound.of(noun, field=(name,))
    return found


class Fields:
    """Typed reading of a JSON object; a failure names the field.

    Parameters:
        known: every field that this door takes; another one is a mistake of the caller's.
        path: where the object is in the body.
    """

    def __init__(self, body: Any, known: frozenset[str], path: tuple[str, ...] = ()) -> None:
        if not isinstance(body, dict):
            raise Malformed("an object is expected here", field=path or None)
        unknown = next((name for name in body if name not in known), None)
        if unknown is not None:
            raise Malformed(f"there is no field {unknown[:40]!r} here", field=(*path, unknown[:40]))
        self._body = body
        self._path = path

    def text(self, name: str, *, most_chars: int, default: str | None = None) -> str:
        """A printable text that is not empty."""
        value = self._body.get(name, default)
        if not isinstance(value, str) or not value.strip():
            raise Malformed(f"{name} must be a text", field=(*self._path, name))
        if len(value) > most_chars or not value.isprintable():
            raise Malformed(f"{name} is one line of at most {most_chars} characters", field=(*self._path, name))
        return value.strip()

    def optional_text(self, name: str, *, most_chars: int) -> str | None:
        """Like :meth:`text`, where nothing is said by leaving it out or by null."""
        return None if self._body.get(name) is None else self.text(name, most_chars=most_chars)

    def key(self, name: str) -> int:
        """The number of a row, as text or number."""
        value = self._body.get(name)
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if not (text.isascii() and text.isdecimal() and len(text) <= 18 and int(text) > 0):
            raise Malformed(f"{name} must be a number, such as events tell it", field=(*self._path, name))
        return int(text)

    def decimal(self, name: str, *, optional: bool = False) -> Decimal | None:
        """An exact number: a text, or a whole number; JSON's fractions are not exact."""
        value = self._body.get(name)
        if value is None and optional:
            return None
        if isinstance(value, int | str) and not isinstance(value, bool):
            with suppress(InvalidOperation):
                number = Decimal(value)
                if number.is_finite():
                    return number
        raise Malformed(f'{name} must be a number in quotes, such as "1.5"', field=(*self._path, name))

    def whole(self, name: str, *, default: int) -> int:
        """A whole number."""
        value = self._body.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Malformed(f"{name} must be a whole number", field=(*self._path, name))
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Yes or no."""
        value = self._body.get(name, default)
        if not isinstance(value, bool):
            raise Malformed(f"{name} must be true or false", field=(*self._path, name))
        return value

    def objects(self, name: str, known: frozenset[str], *, most: int) -> list[Fields]:
        """A list of one to ``most`` objects."""
        value = self._body.get(name)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise Malformed(f"{name} must be a list of 1 to {most} objects", field=(*self._path, name))
        return [Fields(item, known, (*self._path, name, str(place))) for place, item in enumerate(value)]


def _status(error: KontoraError) -> int:
    if isinstance(error, Unauthenticated):
        return 401
    if isinstance(error, Forbidden):
        return 403
    if isinstance(error, NotFound):
        return 404
    if error.code in _STATUSES:
        return _STATUSES[error.code]
    return 409 if isinstance(error, Conflict) or error.code == "IDEMPOTENCY_KEY_REUSED" else 422
