"""What is taken away through one API process is refused by another within the seconds that are promised (ACC-1, ACC-2, ACC-5)."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from core.crypto import keyed_hash
from core.ids import encode_id
from resolvers.root import planner
from services.access.principals import API_TOKEN_PURPOSE, COOKIE_PURPOSE, issue_access_token
from web.auth import COOKIE, TRUSTED_SECONDS

PROGRESSED = "UPDATE bulk_operations SET done_count = $1 WHERE id = $2"
START_SECONDS = 60
PARTNERS = "{ partners { totalCount } }"
PROGRESS = "subscription($id: ID!) { bulkOperationProgress(id: $id) { doneCount } }"


@dataclass(frozen=True)
class Person:
    """Somebody with a session, a browser and an API token."""

    user_id: int
    session_id: int

    @property
    def token(self) -> str:
        return f"Bearer {issue_access_token(self.session_id)[0]}"

    @property
    def cookie(self) -> str:
        return f"kcs_{self.user_id}"

    @property
    def api_token(self) -> str:
        return f"kat_{self.user_id}"

    @property
    def session(self) -> dict[str, str]:
        return {"authorization": self.token}

    @property
    def browser(self) -> dict[str, str]:
        return {"cookie": f"{COOKIE}={self.cookie}"}

    @property
    def program(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.api_token}"}

    @property
    def gid(self) -> str:
        return encode_id("User", self.user_id)


async def a_person(owner: asyncpg.Connection, role: str, partner_id: int | None = None) -> Person:
    kind = "STAFF" if partner_id is None else "PARTNER"
    user_id = await owner.fetchval(
        "INSERT INTO users (kind, partner_id, email, full_name, password_set_at) "
        "VALUES ($1, $2, gen_random_uuid() || '@demo.test', 'X', now()) RETURNING id",
        *(kind, partner_id),
    )
    await owner.execute(
        "INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM roles WHERE name = $2", user_id, role
    )
    session_id = await owner.fetchval(
        "INSERT INTO sessions (user_id, partner_id, kind, expires_at, last_used_at) "
        "VALUES ($1, $2, 'TOKEN', now() + interval '1 day', now()) RETURNING id",
        *(user_id, partner_id),
    )
    person = Person(user_id, session_id)
    await owner.execute(
        "INSERT INTO sessions (user_id, partner_id, kind, expires_at, last_used_at, cookie_hash) "
        "VALUES ($1, $2, 'COOKIE', now() + interval '1 day', now(), $3)",
        *(user_id, partner_id, keyed_hash(person.cookie, COOKIE_PURPOSE)),
    )
    await owner.execute(
        "INSERT INTO api_tokens (user_id, partner_id, name, token_hash, hint, permissions, expires_at) "
        "SELECT $1, $2, 'x', $3, 'x', array_agg(name), now() + interval '1 day' FROM permissions",
        *(user_id, partner_id, keyed_hash(person.api_token, API_TOKEN_PURPOSE)),
    )
    return person


@dataclass(frozen=True)
class Taken:
    """Something that is taken away, from whom, and what comes of it.

    Parameters:
        callers: headers of those who lose it.
    """

    callers: list[dict[str, str]]
    mutation: str
    input: dict[str, Any]
    then: str

    async def by(self, http: httpx.AsyncClient, chief: Person) -> None:
        kind = planner.schema.mutation_type.fields[self.mutation].args["input"].type  # type: ignore[union-attr]
        source = f"mutation($input: {kind}) {{ {self.mutation}(input: $input) {{ userErrors {{ code }} }} }}"
        done = await ask(http, {"authorization": chief.token}, source, input=self.input)
        assert done == str({self.mutation: {"userErrors": []}}), done


@asynccontextmanager
async def a_process() -> AsyncIterator[httpx.AsyncClient]:
    """`kontora serve` as a process of its own, with what it keeps to itself."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        fd, address = listening.fileno(), f"http://127.0.0.1:{listening.getsockname()[1]}"
        command = [sys.executable, "-P", "-m", "cli.main", "serve", "--socket-fd", str(fd)]
        process = await asyncio.create_subprocess_exec(*command, pass_fds=[fd])
    try:
        async with httpx.AsyncClient(base_url=address, timeout=START_SECONDS) as client:
            # The socket listens from the beginning: the first request waits until somebody takes it.
            assert (await client.get("/health/live")).status_code == 200
            yield client
    finally:
        process.kill()
        await process.wait()


async def ask(http: httpx.AsyncClient, headers: dict[str, str], query: str, **variables: Any) -> str:
    """What an answer comes to: the code of its error, else its data."""
    answer = (await http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)).json()
    found = answer.get("errors") or [{"extensions": {"code": str(answer.get("data"))}}]
    return str(found[0]["extensions"]["code"])


class Listener:
    """A subscription that lives as long as it may."""

    def __init__(self, person: Person, socket: ClientConnection) -> None:
        self.person = person
        self.socket = socket

    async def begin(self, operation: str) -> None:
        await self._say(type="connection_init", payload={"authorization": self.person.token})
        await self._say(type="subscribe", id="1", payload={"query": PROGRESS, "variables": {"id": operation}})
        assert [(await self._heard())["type"] for _ in range(2)] == ["connection_ack", "next"]

    async def hears(self, done: int) -> None:
        while (await self._heard())["payload"]["data"]["bulkOperationProgress"]["doneCount"] != done:
            continue

    async def hears_no_more(self, unheard: int) -> None:
        """What was told before may still be on its way."""
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                told = (await self._heard())["payload"]["data"]["bulkOperationProgress"]["doneCount"]
                assert told != unheard, "is still told"
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4403

    async def _say(self, **message: Any) -> None:
        await self.socket.send(orjson.dumps(message).decode())

    async def _heard(self) -> Any:
        return orjson.loads(await asyncio.wait_for(self.socket.recv(), START_SECONDS))


async def gid(owner: asyncpg.Connection, type_: str, table: str, condition: str, value: Any) -> str:
    return encode_id(type_, await owner.fetchval(f"SELECT id FROM {table} WHERE {condition} = $1", value))


async def a_grant(owner: asyncpg.Connection, partner: int, person: Person) -> int:
    found: int = await owner.fetchval(
        "INSERT INTO access_grants (partner_id, partner_name, requested_by_user_id, reason, minutes, status, decided_at, "
        "expires_at) VALUES ($1, 'Beta', $2, 'x', 60, 'APPROVED', now(), now() + interval '1 hour') RETURNING id",
        *(partner, person.user_id),
    )
    return found


async def test_what_one_process_takes_away_the_other_refuses(
    owner: asyncpg.Connection, redis_url: str, http: httpx.AsyncClient
) -> None:
    partner = await owner.fetchval("INSERT INTO partners (name) VALUES ('Beta') RETURNING id")
    custom = await owner.fetchval(
        "INSERT INTO roles (name, description, kind) VALUES ('Own', 'x', 'STAFF') RETURNING id"
    )
    own = ["partner:read", "partner:all_rows"]
    await owner.execute("INSERT INTO role_permissions SELECT $1, unnest($2::text[])", custom, own)
    chief, demoted, blocked, signed_out, tokenless, listener, muted = [
        await a_person(owner, role) for role in ("SUPERADMIN", *["SALES"] * 6)
    ]
    asked, edited = await a_person(owner, "IMPLEMENTATION"), await a_person(owner, "Own")
    of_partner = await a_person(owner, "PARTNER_OWNER", partner)
    revoked, expired = await a_person(owner, "SUPPORT"), await a_person(owner, "SUPPORT")
    grant, overdue = await a_grant(owner, partner, revoked), await a_grant(owner, partner, expired)
    developer = [await gid(owner, "Role", "roles", "name", "DEVELOPER")]
    implementation = await gid(owner, "Role", "roles", "name", "IMPLEMENTATION")
    token = await gid(owner, "ApiToken", "api_tokens", "user_id", tokenless.user_id)
    nothing = str({"partners": {"totalCount": 0}})
    ended = {"id": encode_id("Partner", partner), "version": 1, "status": "BLOCKED", "reason": "x"}
    taken = [
        Taken(
            [demoted.session],
            "userAccessUpdate",
            {"userId": demoted.gid, "version": 1, "roleIds": developer},
            "FORBIDDEN",
        ),
        Taken(
            [edited.session],
            "roleUpdate",
            {"roleId": encode_id("Role", custom), "version": 1, "permissions": ["viewer:self"]},
            "FORBIDDEN",
        ),
        Taken([asked.session], "roleSetTotpRequired", {"roleId": implementation, "required": True}, "FORBIDDEN"),
        Taken(
            [blocked.session, blocked.browser, blocked.program], "userBlock", {"userId": blocked.gid}, "UNAUTHENTICATED"
        ),
        Taken([signed_out.session, signed_out.browser], "userSignOut", {"userId": signed_out.gid}, "UNAUTHENTICATED"),
        Taken([tokenless.program], "userApiTokenRevoke", {"apiTokenId": token}, "UNAUTHENTICATED"),
        Taken([of_partner.session, of_partner.program], "partnerChangeStatus", ended, "UNAUTHENTICATED"),
        Taken([revoked.session], "accessGrantRevoke", {"id": encode_id("AccessGrant", grant)}, nothing),
        Taken([listener.session], "userBlock", {"userId": listener.gid}, "UNAUTHENTICATED"),
        Taken(
            [muted.session], "userAccessUpdate", {"userId": muted.gid, "version": 1, "roleIds": developer}, "FORBIDDEN"
        ),
    ]
    operation = await owner.fetchval(
        "INSERT INTO bulk_operations (kind, status, format, requested_by_user_id, permissions, expires_at) "
        "VALUES ('PARTNER_EXPORT', 'RUNNING', 'CSV', $1, '{}', now() + interval '1 day') RETURNING id",
        listener.user_id,
    )
    async with a_process() as other, AsyncExitStack() as sockets:
        address = str(other.base_url).replace("http", "ws") + "/graphql"
        listening = []
        for person in (listener, muted):
            opened = connect(address, subprotocols=["graphql-transport-ws"])  # type: ignore[list-item]
            listening.append(Listener(person, await sockets.enter_async_context(opened)))
            await listening[-1].begin(encode_id("BulkOperation", operation))
        await owner.execute(PROGRESSED, 1, operation)
        for one in listening:
            await one.hears(1)
        callers = [caller for one in taken for caller in one.callers]
        for caller in [*callers, expired.session]:
            assert await ask(other, caller, PARTNERS) == str({"partners": {"totalCount": 1}})
        await asyncio.gather(*(one.by(http, chief) for one in taken))
        await owner.execute("UPDATE access_grants SET expires_at = now() WHERE id = $1", overdue)
        await asyncio.sleep(TRUSTED_SECONDS)
        await owner.execute(PROGRESSED, 2, operation)
        for one in taken:
            assert [await ask(other, caller, PARTNERS) for caller in one.callers] == [one.then] * len(one.callers), one
        assert await ask(other, expired.session, PARTNERS) == nothing
        for deaf in listening:
            await deaf.hears_no_more(2)
