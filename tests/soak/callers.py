"""Callers that do not give up: a request is sent again, under the same key, until an answer says what became of it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from typing import Any

import httpx

GIVE_UP_SECONDS = 120
PAUSE_SECONDS = 0.3
TIMEOUT_SECONDS = 10
# The house is restarting, is too busy, or hides what went wrong; under its key the request may be sent again.
AGAIN = frozenset({429, 500, 502, 503, 504})
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { code } } }"

Data = dict[str, Any]


class Gone(Exception):
    """No answer for so long that the house must be broken."""


class Caller:
    """One who calls the house over HTTP.

    Parameters:
        seen: counts what happened, for the report.
    """

    def __init__(self, url: str, seen: Counter[str]) -> None:
        self.http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS)
        self.seen = seen

    async def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The first answer that is final.

        Raises:
            Gone: there is none.
        """
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = await self.http.request(method, path, **request)
            except httpx.TransportError as error:
                self.seen[f"no answer: {type(error).__name__}"] += 1
            else:
                if answer.status_code not in AGAIN:
                    return answer
                self.seen[f"answer {answer.status_code}"] += 1
            await asyncio.sleep(PAUSE_SECONDS)
        raise Gone(f"{method} {path}")


class Person(Caller):
    """Somebody of ours, signed in."""

    def __init__(self, url: str, seen: Counter[str], email: str, password: str) -> None:
        super().__init__(url, seen)
        self._who = {"email": email, "password": password}
        self._token = ""

    async def ask(self, document: str, **variables: Any) -> Data:
        """The data of an operation; the session is begun anew where it has ended."""
        while True:
            headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            body = {"query": document, "variables": variables}
            answer = (await self.send("POST", "/graphql", json=body, headers=headers)).json()
            if not answer.get("errors"):
                data: Data = answer["data"]
                return data
            code = answer["errors"][0].get("extensions", {}).get("code")
            if code in ("INTERNAL", "UNAVAILABLE", "TIMEOUT"):
                self.seen[f"error {code}"] += 1
                await asyncio.sleep(PAUSE_SECONDS)
            elif code == "UNAUTHENTICATED" or (code == "FORBIDDEN" and not self._token):
                await self.sign_in()
            else:
                raise AssertionError(answer["errors"])

    async def sign_in(self) -> None:
        """Begin a session."""
        body = {"query": SIGN_IN, "variables": {"input": self._who}}
        answer = (await self.send("POST", "/graphql", json=body)).json()
        self._token = answer["data"]["signIn"]["accessToken"]

    async def change(self, document: str, **values: Any) -> Data:
        """The payload of a mutation that is sent under a key of its own until it is answered."""
        given = {"idempotencyKey": str(uuid.uuid4()), **values}
        (payload,) = (await self.ask(document, input=given)).values()
        for error in payload["userErrors"]:
            self.seen[f"refused {error['code']}"] += 1
        found: Data = payload
        return found
