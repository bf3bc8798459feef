"""What every request passes: request id, security headers and one line of access log, on bare ASGI."""

from __future__ import annotations

import re
import time
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import metrics, tracing
from core.logging import get_logger
from core.request import RequestInfo, enter_request, new_request_id
from core.settings import get_settings
from web.traced import serve_traced, shown_path

log = get_logger("access")
# Why partners' data is looked at, and under which access grant (ACC-5).
REASON_HEADER = b"x-kontora-reason"
GRANT_HEADER = b"x-kontora-grant"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
# Browsers that came by HTTPS once never come without it again.
_ALWAYS_HTTPS = (b"strict-transport-security", b"max-age=31536000")


class RequestMiddleware:
    """Gives each request an id, told in `X-Request-Id`, and writes one line about it without personal data.

    Parameters:
        app: what is wrapped.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        https = get_settings().base_url.startswith("https://")
        self._added = [*_SECURITY, _ALWAYS_HTTPS] if https else _SECURITY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        info = _info(scope)
        enter_request(info)
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        if tracing.is_on() and not scope["path"].startswith("/health/"):
            await serve_traced(partial(self._serve, scope, receive, send, info), scope, info)
        else:
            await self._serve(scope, receive, send, info)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, info: RequestInfo) -> int:
        started = time.perf_counter()
        status = 0
        request_id = info.request_id.encode()

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", request_id)]
                said = {name for name, _ in headers}
                message["headers"] = headers + [header for header in self._added if header[0] not in said]
            await send(message)

        try:
            await self.app(scope, receive, tell)
        except Exception:
            # Pages of ours tell of it, and pass it on.
            log.exception("request_failed")
            metrics.UNEXPECTED.inc()
            if not status:
                raise
        finally:
            seconds = time.perf_counter() - started
            metrics.observe(scope["path"], status, seconds)
            # Supervisors and load balancers ask for health all the time.
            write = log.debug if scope["path"].startswith("/health/") else log.info
            write(
                "request",
                method=scope["method"],
                path=shown_path(scope),
                status=status,
                ms=round(seconds * 1000, 1),
            )
        return status


def _info(scope: Scope) -> RequestInfo:
    given = agent = b""
    told: dict[bytes, str] = {}
    russian = False
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value
        elif name == b"user-agent":
            agent = value
        elif name == b"accept-language":
            russian = value.lower().startswith(b"ru")
        elif name in (REASON_HEADER, GRANT_HEADER):
            told[name] = value.decode("utf-8", errors="replace")
    request_id = given.decode() if _REQUEST_ID.fullmatch(given) else new_request_id()
    client = scope.get("client")
    return RequestInfo(
        request_id=request_id,
        ip=client[0] if client else None,
        user_agent=agent[:200].decode("latin-1") or None,
        locale="ru" if russian else "en",
        access_reason=told.get(REASON_HEADER),
        access_grant=told.get(GRANT_HEADER),
    )
