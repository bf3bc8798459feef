"""People of the tests of access: they ask over HTTP, and read the letters that come."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import Any

import asyncpg
import httpx

from core.ids import encode_id
from workers.handlers import register_handlers
from workers.outbox import process

PASSWORD = "lantern orbit mustard"
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { code } } }"
INVITE = "mutation($input: UserInviteInput!) { userInvite(input: $input) { user { id } userErrors { code field } } }"
RESET = "mutation($input: PasswordResetInput!) { passwordReset(input: $input) { userErrors { code field } } }"


@dataclass
class Caller:
    """Asks the endpoint, with a credential or without."""

    http: httpx.AsyncClient
    credential: str | None = None

    async def ask(self, query: str, **variables: Any) -> httpx.Response:
        """The whole answer."""
        headers = {"authorization": f"Bearer {self.credential}"} if self.credential else {}
        return await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)

    async def data(self, query: str, **variables: Any) -> Any:
        """The one root value of an answer without errors."""
        answer = (await self.ask(query, **variables)).json()
        assert "errors" not in answer, answer["errors"]
        (value,) = answer["data"].values()
        return value

    async def codes(self, query: str, **variables: Any) -> list[str]:
        """The codes of the user errors, or of the errors."""
        answer = (await self.ask(query, **variables)).json()
        if "errors" in answer:
            return [error["extensions"]["code"] for error in answer["errors"]]
        (value,) = answer["data"].values()
        return [error["code"] for error in value["userErrors"]]


async def signed_in(http: httpx.AsyncClient, email: str, password: str) -> Caller:
    """Somebody who has signed in."""
    found = await Caller(http).data(SIGN_IN, input={"email": email, "password": password})
    assert found["userErrors"] == []
    return Caller(http, found["accessToken"])


async def id_of(owner: asyncpg.Connection[Any], table: str, **which: str) -> str:
    """The global id of a user by email, or of a role by name."""
    ((column, value),) = which.items()
    key = await owner.fetchval(f"SELECT id FROM {table} WHERE {column} = $1", value)
    return encode_id({"users": "User", "roles": "Role", "partners": "Partner"}[table], key)


async def letters(owner: asyncpg.Connection[Any], to: str) -> list[str]:
    """Runs what waits in the outbox; gives the texts of all letters to an address, oldest first."""
    register_handlers()
    for kind in ("password_reset.prepare", "access_grant.tell", "mail.deliver"):
        waiting = "SELECT id FROM outbox_messages WHERE kind = $1 AND status = 'PENDING' ORDER BY id"
        for row in await owner.fetch(waiting, kind):
            await process(row["id"])
    found = await owner.fetch("SELECT source FROM sandbox_mails WHERE recipient = $1 ORDER BY id", to)
    return [_text(row["source"]) for row in found]


async def newest_token(owner: asyncpg.Connection[Any], to: str) -> str:
    """The token of the newest link that an address got."""
    (*_, newest) = await letters(owner, to)
    found = re.search(r"/set-password\?token=(\S+)", newest)
    assert found is not None
    return found[1]


def _text(source: bytes) -> str:
    part = message_from_bytes(source, policy=policy.default).get_body(("plain",))
    assert part is not None
    return str(part.get_content())
