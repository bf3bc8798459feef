"""GraphQL over WebSocket, by the protocol graphql-transport-ws (ORD-9, API-3).

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md names the messages and the codes of closing. Queries
and mutations are answered too. Whoever is behind a socket is asked for again every other second, and before each
answer: once a session has ended or its permissions have changed, nothing more is told and the socket is closed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketDisconnect

from core import tracing
from core.errors import Unauthenticated
from core.logging import get_logger
from core.principal import Principal
from core.rates import RateLimited
from core.request import current_request, enter_request, new_request_id
from planner.answer import Answer, told
from planner.write import dumps
from web.graphql import Authenticate, BadRequest, answer_of, count_request, request_of
from web.traced import operate_traced
from web.unforeseen import masked, status_of

PROTOCOL = "graphql-transport-ws"
INIT_SECONDS = 10.0
CHECK_SECONDS = 2.0
MOST_OPERATIONS = 20
MOST_ID_CHARS = 100
MAX_MESSAGE_CHARS = 200_000
_REFUSED = "REFUSED"

log = get_logger("live")
Run = Callable[[str, str | None, dict[str, Any] | None, Principal], AsyncIterator[Answer]]


class _Closed(Exception):
    """Ends the socket with a code and a reason of the protocol."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class GraphQLSocket:
    """The endpoint for WebSockets.

    Parameters:
        run: the answers of an operation: one for queries and mutations, any number for subscriptions.
        authenticate: the principal of a connection scope; raises Unauthenticated.
    """

    def __init__(self, run: Run, authenticate: Authenticate) -> None:
        self.run = run
        self.authenticate = authenticate

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one socket until either side closes it."""
        if PROTOCOL not in websocket.scope.get("subprotocols", ()):
            await websocket.close(4406, "Subprotocol not acceptable")
            return
        if not _same_origin(websocket.scope):
            await websocket.close(4403, "Forbidden")
            return
        await websocket.accept(PROTOCOL)
        try:
            await _Conversation(self, websocket).hold()
        except _Closed as closed:
            await _close(websocket, closed.code, closed.reason)
        except WebSocketDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - logged whole, told masked
            hidden = masked(error, log, "socket_failed")
            told_by = (1013, "Try again later") if status_of(hidden) == 503 else (4500, "Internal server error")
            await _close(websocket, *told_by)


class _Conversation:
    """What is going on in one socket."""

    def __init__(self, endpoint: GraphQLSocket, websocket: WebSocket) -> None:
        self.endpoint = endpoint
        self.websocket = websocket
        self.scope: Scope = websocket.scope
        self.principal: Principal | None = None
        self.running: dict[str, asyncio.Task[None]] = {}

    async def hold(self) -> None:
        """Talk until one of the tasks ends the conversation."""
        hearing = asyncio.create_task(self._hear())
        checking = asyncio.create_task(self._check())
        try:
            done, _ = await asyncio.wait({hearing, checking}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            tasks = [hearing, checking, *self.running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _check(self) -> None:
        """End the conversation when it does not begin in time, or may not go on."""
        began = time.monotonic()
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if self.principal is None:
                if time.monotonic() - began > INIT_SECONDS:
                    raise _Closed(4408, "Connection initialisation timeout")
                continue
            await self._ask_again(self.principal)

    async def _ask_again(self, principal: Principal) -> None:
        """Make sure that whoever began may still do the same."""
        try:
            current = await self.endpoint.authenticate(self.scope)
        except Unauthenticated:
            raise _Closed(4403, "The session has ended") from None
        if current.permission_key != principal.permission_key:
            raise _Closed(4403, "Permissions have changed, connect again")

    async def _hear(self) -> None:
        while True:
            message = await self._message()
            match message.get("type"):
                case "connection_init":
                    await self._begin(message.get("payload"))
                case "ping":
                    await self._say({"type": "pong"})
                case "pong":
                    continue
                case "subscribe":
                    self._start(message)
                case "complete":
                    task = self.running.pop(_id(message), None)
                    if task is not None:
                        task.cancel()
                case other:
                    raise _Closed(4400, f"Invalid message type {str(other)[:40]!r}")

    async def _message(self) -> dict[str, Any]:
        received = await self.websocket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1000))
        text = received.get("text")
        if text is None or len(text) > MAX_MESSAGE_CHARS:
            raise _Closed(4400, "A message is a text, and not too long")
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise _Closed(4400, "The message is not JSON") from None
        if not isinstance(message, dict):
            raise _Closed(4400, "The message is not an object")
        return message

    async def _begin(self, payload: Any) -> None:
        """Find out who is there: by the token in the first message, or by what the connection came with."""
        if self.principal is not None:
            raise _Closed(4429, "Too many initialisation requests")
        given = payload.get("authorization") if isinstance(payload, dict) else None
        if given is not None:
            if not isinstance(given, str) or not given.isascii():
                raise _Closed(4400, "`authorization` is a text such as `Bearer …`")
            self.scope = {**self.scope, "headers": [(b"authorization", given.encode())]}
        try:
            self.principal = await self.endpoint.authenticate(self.scope)
        except Unauthenticated:
            raise _Closed(4403, "Forbidden") from None
        await self._say({"type": "connection_ack"})

    def _start(self, message: dict[str, Any]) -> None:
        if self.principal is None:
            raise _Closed(4401, "Unauthorized")
        operation_id = _id(message)
        if operation_id in self.running:
            raise _Closed(4409, f"Subscriber for {operation_id} already exists")
        if len(self.running) >= MOST_OPERATIONS:
            raise _Closed(4400, f"At most {MOST_OPERATIONS} operations at once")
        self.running[operation_id] = asyncio.create_task(
            self._answer(operation_id, message.get("payload"), self.principal)
        )

    async def _answer(self, operation_id: str, payload: Any, principal: Principal) -> None:
        info = replace(current_request(), request_id=new_request_id())
        enter_request(info)
        operate = partial(self._operate, operation_id, payload, principal)
        if tracing.is_on():
            await operate_traced(operate, self.websocket.scope, info)
        else:
            await operate()

    async def _operate(self, operation_id: str, payload: Any, principal: Principal) -> str | None:
        """Answer an operation to its end; gives the code of the error that ended it."""
        try:
            count_request(principal)
            await self._ask_again(principal)
            asked = request_of(payload)
            found = self.endpoint.run(asked.query, asked.operation_name, asked.variables, principal)
            async with aclosing(cast("AsyncGenerator[Answer, None]", found)) as answers:
                async for answer in answers:
                    if not answer.ran:
                        await self._refuse(operation_id, answer.errors)
                        return _REFUSED
                    await self._ask_again(principal)
                    await self._say({"type": "next", "id": operation_id, "payload": answer_of(answer)})
            self.running.pop(operation_id, None)
            await self._say({"type": "complete", "id": operation_id})
        except (BadRequest, RateLimited) as error:
            await self._refuse(operation_id, [told(error)])
            return error.code
        except (WebSocketDisconnect, _Closed):
            # The check that runs anyway closes the socket.
            return None
        except Exception as error:  # noqa: BLE001 - logged whole, told masked
            hidden = masked(error, log, "operation_failed")
            entry = told(hidden)
            entry["extensions"]["requestId"] = current_request().request_id
            await self._refuse(operation_id, [entry])
            return hidden.code
        return None

    async def _refuse(self, operation_id: str, errors: list[dict[str, Any]]) -> None:
        self.running.pop(operation_id, None)
        await self._say({"type": "error", "id": operation_id, "payload": errors})

    async def _say(self, message: dict[str, Any]) -> None:
        await self.websocket.send_text(dumps(message).decode())


def _id(message: dict[str, Any]) -> str:
    found = message.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= MOST_ID_CHARS:
        raise _Closed(4400, f"`id` is a text of 1 to {MOST_ID_CHARS} characters")
    return found


def _same_origin(scope: Scope) -> bool:
    """Whether no other site's page is asking: browsers send our cookie with a socket that any page opens."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    return origin is None or urlsplit(origin.decode("latin-1")).netloc == headers.get(b"host", b"").decode("latin-1")


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    # The other side may have gone already.
    with suppress(RuntimeError, WebSocketDisconnect):
        await websocket.close(code, reason)
