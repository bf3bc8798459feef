"""What the proof of each look and the walls cost: reads with the access log and without, with row-level security and
without (ACC-4, ACC-5).

Rounds of the two are paired, one right after the other in turn, and what counts is the median of the pairs' ratios.
`KONTORA_BENCH_PARTNERS` (2000, at least 777) is the size of the world, `KONTORA_BENCH_SECONDS` (2) a round's length.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import orjson

from bench import load, world
from bench.reading import CONNECTIONS, Server, served, signed_in
from bench.reads import PARTNER_KEY, READS
from core.crypto import hash_password
from core.database import dispose, transaction
from core.principal import SYSTEM
from migrations.run import upgrade
from models import Base
from models.reach import partner_predicate
from services import access

PAIRS = 7
AIM = 0.85
PASSWORD = secrets.token_urlsafe(16)
STAFF, TENANT, GRANTEE = (f"bench-{name}@demo.test" for name in ("staff", "tenant", "grantee"))


@dataclass
class Compared:
    """Rounds of one read: with what is measured, and right after or before it without."""

    title: str
    caller: str
    pairs: list[tuple[float, float]]

    def line(self) -> str:
        """Its line of the table."""
        ratio = statistics.median(on / off for on, off in self.pairs)
        on, off = (statistics.median(column) for column in zip(*self.pairs, strict=True))
        return f"| {self.title} | {self.caller} | {off:,.0f} | {on:,.0f} | {ratio:.2f} | {AIM} |"


def run(url: str) -> str:
    """Prepare the world and measure; gives the section of the results."""
    asyncio.run(_prepare(url))
    with served("kontora") as ours, served("unlogged") as unlogged:
        log = [
            asyncio.run(_compare(title, body, "staff", STAFF, (ours, unlogged), _nothing, _nothing))
            for title, body in READS.items()
        ]
    with served("kontora") as ours:
        walls = [
            asyncio.run(
                _compare(title, body, caller, email, (ours, ours), _switch(url, "ENABLE"), _switch(url, "DISABLE"))
            )
            for caller, email in (("partner", TENANT), ("support under a grant", GRANTEE))
            for title, body in READS.items()
        ]
    head = "| read | caller | without /s | with /s | ratio | aim |\n| --- | --- | --- | --- | --- | --- |"
    partners = _partners()
    return (
        f"Access log:\n\n{head}\n"
        + "\n".join(item.line() for item in log)
        + f"\n\nRow-level security:\n\n{head}\n"
        + "\n".join(item.line() for item in walls)
        + f"\n\nWorld: {partners:,} partners, {partners * 25:,} invoices. {PAIRS} pairs of rounds, "
        f"one right after the other in turn, at concurrency {CONNECTIONS};\nthe ratio is the median of the pairs'. "
        "The predicates of the planner stay in both.\n"
    )


async def _compare(
    title: str,
    body: object,
    caller: str,
    email: str,
    servers: tuple[Server, Server],
    with_it: Callable[[], Awaitable[None]],
    without: Callable[[], Awaitable[None]],
) -> Compared:
    seconds = float(os.environ.get("KONTORA_BENCH_SECONDS", "2"))
    found = Compared(title, caller, [])
    sides = [(servers[0], with_it), (servers[1], without)]
    headers = [signed_in(server.port, email, PASSWORD) for server, _ in sides]
    for number in range(PAIRS + 1):
        rates = [0.0, 0.0]
        for side in (0, 1) if number % 2 else (1, 0):
            server, prepare = sides[side]
            await prepare()
            # Plans are made anew after a change of policies; the first answers are not counted.
            load.run(server.port, orjson.dumps(body), headers[side], seconds=0.2, connections=CONNECTIONS)
            measured = load.run(
                server.port, orjson.dumps(body), headers[side], seconds=seconds, connections=CONNECTIONS
            )
            rates[side] = measured.per_second
        if number:
            found.pairs.append((rates[0], rates[1]))
    await with_it()
    print(found.line(), flush=True)
    return found


async def _nothing() -> None:
    return None


def _switch(url: str, how: str) -> Callable[[], Awaitable[None]]:
    async def switch() -> None:
        owner = await asyncpg.connect(url)
        for table in Base.metadata.sorted_tables:
            if partner_predicate(table, "", "") is not None:
                await owner.execute(f"ALTER TABLE {table.name} {how} ROW LEVEL SECURITY")
        await owner.close()

    return switch


def _partners() -> int:
    return int(os.environ.get("KONTORA_BENCH_PARTNERS", "2000"))


async def _prepare(url: str) -> None:
    """A migrated, filled database with one of ours, one of a partner's, and one of support with a grant to it."""
    await upgrade(url)
    await world.fill(url, partners=_partners())
    async with transaction() as session:
        await access.create_superadmin(session, SYSTEM, email=STAFF, name="Bench", password=PASSWORD)
    await dispose()
    owner = await asyncpg.connect(url)
    hashed = await hash_password(PASSWORD)
    for email, kind, partner_id, role in (
        (TENANT, "PARTNER", PARTNER_KEY, "PARTNER_OWNER"),
        (GRANTEE, "STAFF", None, "SUPPORT"),
    ):
        await owner.execute(
            """
            WITH made AS (
                INSERT INTO users (email, kind, partner_id, full_name, password_hash)
                VALUES ($1, $2, $3, 'Bench', $4) RETURNING id)
            INSERT INTO user_roles (user_id, role_id)
            SELECT made.id, roles.id FROM made, roles WHERE roles.name = $5
            """,
            email,
            kind,
            partner_id,
            hashed,
            role,
        )
    await owner.execute(
        """
        INSERT INTO access_grants (partner_id, partner_name, requested_by_user_id, reason, minutes, status, decided_at,
            expires_at)
        SELECT $1, 'Bench', id, 'to measure', 480, 'APPROVED', now(), now() + interval '8 hours'
        FROM users WHERE email = $2
        """,
        PARTNER_KEY,
        GRANTEE,
    )
    await owner.execute("ANALYZE")
    await owner.close()
