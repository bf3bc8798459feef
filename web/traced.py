"""Requests as spans: named by route or GraphQL operation, never by what was put into them (MON-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.types import Scope

from core import metrics, tracing
from core.request import RequestInfo


async def serve_traced(serve: Callable[[], Awaitable[int]], scope: Scope, info: RequestInfo) -> None:
    """Serve a request within a span; a caller that sends a `traceparent` finds its trace gone on with.

    Parameters:
        serve: answers the request and gives the status.
    """
    method = scope["method"]
    attributes = {"http.request.method": method, "kontora.request_id": info.request_id}
    with tracing.span(f"{method} {route_of(scope)}", "SERVER", parent=_parent_of(scope), attributes=attributes) as made:
        status = await serve()
        if made is not None:
            route = route_of(scope)
            if scope["path"] != "/graphql":
                made.update_name(f"{method} {route}")
            made.set_attributes({"http.route": route, "http.response.status_code": status})
            if status >= 500:
                tracing.fail(made, str(status))


async def operate_traced(operate: Callable[[], Awaitable[str | None]], scope: Scope, info: RequestInfo) -> None:
    """Run an operation of a socket within a span, until it is complete; it is named by the planner.

    The trace is gone on with where the socket's own request carried a `traceparent`.

    Parameters:
        operate: runs the operation and gives the code of the error that ended it.
    """
    attributes = {"network.protocol.name": "websocket", "kontora.request_id": info.request_id}
    ended = None
    with tracing.span("websocket", "SERVER", parent=_parent_of(scope), attributes=attributes) as made:
        try:
            failure = await operate()
        except asyncio.CancelledError as error:
            # The other side has had enough, which is how subscriptions end.
            ended, failure = error, None
        if made is not None and failure is not None:
            tracing.fail(made, failure)
    if ended is not None:
        raise ended


def _parent_of(scope: Scope) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)


def route_of(scope: Scope) -> str:
    """The path with names in the place of values, as far as it is known: one of few."""
    return _named(scope, scope.get("path_params"))


def shown_path(scope: Scope) -> str:
    """The path with names in the place of texts, which may be secrets of links or name people; numbers of rows stay."""
    parameters = scope.get("path_params")
    return _named(scope, parameters and {name: value for name, value in parameters.items() if isinstance(value, str)})


def _named(scope: Scope, parameters: Mapping[str, Any] | None) -> str:
    if parameters is None:
        return f"/{metrics.door(scope['path'])}"
    route: str = scope["path"]
    for name, value in parameters.items():
        route = route.replace(str(value), f"{{{name}}}", 1) if str(value) else route
    return route
