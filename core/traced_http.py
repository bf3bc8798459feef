"""Calls to other machines as spans (MON-2)."""

from __future__ import annotations

import httpx

from core import tracing


class TracedTransport(httpx.AsyncBaseTransport):
    """A span around each call: method, host and status; paths and queries may hold secrets and stay out.

    Parameters:
        propagate: whether the other side is told of the trace; only our own products are, gateways never.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, *, propagate: bool) -> None:
        self._inner = inner
        self._propagate = propagate

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request within a span."""
        host = request.url.host
        attributes = {"http.request.method": request.method, "server.address": host}
        with tracing.span(f"{request.method} {host}", "CLIENT", attributes=attributes) as made:
            told = tracing.traceparent()
            if self._propagate and told is not None:
                request.headers["traceparent"] = told
            answer = await self._inner.handle_async_request(request)
            if made is not None:
                made.set_attribute("http.response.status_code", answer.status_code)
                if answer.status_code >= 500:
                    tracing.fail(made, str(answer.status_code))
            return answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
