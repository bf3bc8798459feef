"""The one GraphQL endpoint: GraphQL over HTTP by its specification, on bare ASGI (API-3).

Media types, status codes and the GET rules follow https://graphql.github.io/graphql-over-http/draft/.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.types import Receive, Scope, Send

from core.errors import KontoraError, Unauthenticated
from core.logging import get_logger
from core.principal import Principal
from core.rates import RateLimited, Rates
from core.request import current_request
from core.settings import get_settings
from planner.answer import Answer, told
from planner.write import dumps
from web.unforeseen import RETRY_AFTER_SECONDS, masked, status_of

log = get_logger("graphql")

RESPONSE_JSON = "application/graphql-response+json"
PLAIN_JSON = "application/json"
CSRF_HEADER = b"x-kontora-csrf"
MAX_NESTING = 100
# Headers that belong to a status.
_WITH_STATUS = {
    401: (b"www-authenticate", b"Bearer"),
    405: (b"allow", b"GET, POST"),
    503: (b"retry-after", str(RETRY_AFTER_SECONDS).encode()),
}
Execute = Callable[..., Awaitable[Answer]]
Authenticate = Callable[[Scope], Awaitable[Principal]]
_rates = Rates()


class BadRequest(KontoraError):
    """The HTTP request is not a GraphQL request.

    Parameters:
        status: HTTP status of the answer.
    """

    code = "BAD_REQUEST"

    def __init__(self, message: str, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.status = status


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """What a request asks."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None


class GraphQLEndpoint:
    """The endpoint as an ASGI application.

    Parameters:
        execute: runs an operation: `planner.run.Planner.execute` with its mutation runner.
        authenticate: the principal of a connection scope; raises Unauthenticated.
        page: what browsers get that ask for HTML by GET.
        body_limit_bytes: largest body.
    """

    def __init__(self, execute: Execute, authenticate: Authenticate, page: Any, *, body_limit_bytes: int) -> None:
        self.execute = execute
        self.authenticate = authenticate
        self.page = page
        self.body_limit_bytes = body_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        accept = headers.get(b"accept", b"").decode("latin-1").lower()
        if scope["method"] == "GET" and "text/html" in accept and not scope["query_string"]:
            await self.page(scope, receive, send)
            return
        media_type = PLAIN_JSON
        extra: list[tuple[bytes, bytes]] = []
        try:
            media_type = _negotiated(accept)
            principal = await self.authenticate(scope)
            count_request(principal)
            request = await self._read(scope, headers, receive)
            _check_csrf(scope, headers)
            answer = await self.execute(
                request.query,
                request.operation_name,
                request.variables,
                principal,
                allow_mutation=scope["method"] == "POST",
            )
            status = _status(answer, media_type)
        except BadRequest as error:
            answer, status = Answer.refused(told(error)), error.status
        except Unauthenticated as error:
            answer, status = Answer.refused(told(error)), 401
        except RateLimited as error:
            answer, status = Answer.refused(told(error)), 429
            extra.append((b"retry-after", str(error.retry_after_seconds).encode()))
        except Exception as error:  # noqa: BLE001 - logged whole, told masked
            hidden = masked(error, log, "operation_failed")
            answer, status = Answer.refused(told(hidden)), status_of(hidden)
        if status in _WITH_STATUS:
            extra.append(_WITH_STATUS[status])
        await _send(send, dumps(answer_of(answer)), status, media_type, extra)

    async def _read(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive) -> GraphQLRequest:
        if scope["method"] in ("GET", "HEAD"):
            return _from_query_string(scope["query_string"])
        if scope["method"] != "POST":
            raise BadRequest("use GET or POST", status=405, code="METHOD_NOT_ALLOWED")
        content_type, _, parameters = headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
        if content_type.strip() != PLAIN_JSON:
            raise BadRequest("send a body of the type application/json", status=415, code="UNSUPPORTED_MEDIA_TYPE")
        charset = parameters.partition("charset=")[2].strip(' "')
        if charset not in ("", "utf-8", "utf8"):
            raise BadRequest("send the body in UTF-8", status=415, code="UNSUPPORTED_MEDIA_TYPE")
        return request_of(_parsed(await self._body(headers, receive)))

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        too_large = BadRequest(
            f"the body is larger than {self.body_limit_bytes} bytes", status=413, code="BODY_TOO_LARGE"
        )
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.body_limit_bytes:
            raise too_large
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("the connection was closed before the body was whole")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self.body_limit_bytes:
                raise too_large
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def count_request(principal: Principal) -> None:
    """Count a request of a user, by whatever credential; of a stranger by address (API-3).

    Raises:
        RateLimited: more in this minute than the settings allow.
    """
    who = current_request().ip if principal.user_id is None else principal.label
    _rates.take(who, get_settings().graphql_requests_per_minute)


def _negotiated(accept: str) -> str:
    """The media type of the answer: the best of what is accepted; everything, where nothing is said."""
    if not accept:
        return PLAIN_JSON
    best, best_quality = None, 0.0
    for item in accept.split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        match name:
            case "application/graphql-response+json":
                found = RESPONSE_JSON
            case "application/json" | "*/*" | "application/*":
                found = PLAIN_JSON
            case _:
                continue
        if quality > best_quality or (quality == best_quality and quality > 0 and found == RESPONSE_JSON):
            best, best_quality = found, quality
    if best is None:
        raise BadRequest(
            f"answers are {RESPONSE_JSON} or {PLAIN_JSON}; accept one of these", status=406, code="NOT_ACCEPTABLE"
        )
    return best


def _from_query_string(query_string: bytes) -> GraphQLRequest:
    try:
        given = parse_qs(query_string.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        raise BadRequest("the query string is not valid") from None
    single = {name: values[-1] for name, values in given.items()}
    variables: Any = None
    if single.get("variables"):
        variables = _parsed(single["variables"].encode())
    if single.get("extensions"):
        _checked_map(_parsed(single["extensions"].encode()), "extensions")
    return _request(single.get("query"), single.get("operationName") or None, variables)


def request_of(value: Any) -> GraphQLRequest:
    """The request that a parsed body makes.

    Raises:
        BadRequest: it makes none.
    """
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object with `query`; batches are not served")
    _checked_map(value.get("extensions"), "extensions")
    return _request(value.get("query"), value.get("operationName"), value.get("variables"))


def _parsed(text: bytes) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the JSON is not valid: {error.msg} at character {error.pos}") from None
    if _deeper_than(value, MAX_NESTING):
        raise BadRequest(f"the JSON is nested more than {MAX_NESTING} levels deep")
    return value


def _deeper_than(value: Any, levels: int) -> bool:
    row = [value]
    for _ in range(levels):
        row = [
            inner
            for item in row
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not row:
            return False
    return True


def _request(query: Any, operation_name: Any, variables: Any) -> GraphQLRequest:
    if not isinstance(query, str) or not query:
        raise BadRequest("`query` must be the text of a GraphQL document")
    if operation_name is not None and not isinstance(operation_name, str):
        raise BadRequest("`operationName` must be a string or null")
    _checked_map(variables, "variables")
    return GraphQLRequest(query, operation_name, variables)


def _checked_map(value: Any, name: str) -> None:
    if value is not None and not isinstance(value, dict):
        raise BadRequest(f"`{name}` must be an object or null")


def _check_csrf(scope: Scope, headers: Mapping[bytes, bytes]) -> None:
    """Refuse what another site could make a browser send with our cookie."""
    if b"cookie" not in headers or b"authorization" in headers or CSRF_HEADER in headers:
        return
    if headers.get(b"sec-fetch-site") in (None, b"same-origin", b"none") and scope["method"] == "POST":
        return
    raise BadRequest("requests with a cookie need the header X-Kontora-CSRF", status=403, code="CROSS_SITE_REQUEST")


def _status(answer: Answer, media_type: str) -> int:
    codes = {error["extensions"]["code"] for error in answer.errors}
    if "MUTATION_BY_GET" in codes:
        return 405
    if answer.ran or media_type == PLAIN_JSON:
        return 200
    return 400


def answer_of(answer: Answer) -> dict[str, Any]:
    """An answer as clients read it: data, errors and extensions."""
    whole: dict[str, Any] = {}
    if answer.ran:
        whole["data"] = answer.data
    extensions: dict[str, Any] = {}
    if answer.cost is not None:
        extensions["cost"] = answer.cost
    if answer.errors:
        whole["errors"] = answer.errors
        extensions["requestId"] = current_request().request_id
    if extensions:
        whole["extensions"] = extensions
    return whole


async def _send(send: Send, body: bytes, status: int, media_type: str, extra: list[tuple[bytes, bytes]]) -> None:
    headers = [
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
