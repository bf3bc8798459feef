"""What must hold when all is quiet again: the books, what callers were told, and that nothing waits or was buried."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterable
from decimal import Decimal

import asyncpg

from tests.soak.customers import Told

QUIET_SECONDS = 300
_WAITING = """
    SELECT id, kind, attempts, created_at, sent_at, available_at, locked_until, last_error FROM outbox_messages
    WHERE status = 'PENDING' AND available_at < now() + interval '2 minutes'
"""
# Money that came for a bill that was replaced in the same moment waits for a person, as it should.
_BURIED = "SELECT kind, error FROM dead_letters WHERE status = 'OPEN' AND kind <> 'payment.attention'"
_JOURNAL = """
    SELECT reference, count(*) AS times, -sum(amount) AS coins FROM wallet_transactions
    WHERE kind = 'USAGE' GROUP BY reference
"""


async def wait_until_quiet(owner: asyncpg.Connection) -> list[str]:
    """Wait for the outbox; what still waits after so long."""
    deadline = time.monotonic() + QUIET_SECONDS
    while waiting := await owner.fetch(_WAITING):
        if time.monotonic() > deadline:
            return [f"still waits: {dict(row)}" for row in waiting]
        await asyncio.sleep(1)
    return []


async def violations(owner: asyncpg.Connection, told: Iterable[Told], environment: dict[str, str]) -> list[str]:
    """All that does not hold."""
    found = [f"buried {row['kind']}: {row['error']}" for row in await owner.fetch(_BURIED)]
    journal = {row["reference"]: (row["times"], row["coins"]) for row in await owner.fetch(_JOURNAL)}
    adjusted = {row["id"]: row["amount"] for row in await owner.fetch("SELECT id, amount FROM wallet_transactions")}
    for one in told:
        found += _charges(one, journal)
        found += [
            f"adjustment {key} is gone" for key, coins in one.adjusted.items() if adjusted.get(_key(key)) != coins
        ]
    for what in ("ledger", "billing", "audit"):
        command = [sys.executable, "-P", "-m", "cli.main", "verify", what]
        proof = await asyncio.to_thread(
            subprocess.run, command, env=environment, capture_output=True, text=True, check=False
        )
        print(f"verify {what}: {proof.stdout.strip() or proof.stderr.strip()}")
        if proof.returncode:
            found.append(f"verify {what}: {proof.stderr.strip()}")
    return found


def _charges(told: Told, journal: dict[str, tuple[int, Decimal]]) -> list[str]:
    found = []
    for key, coins in told.charged.items():
        if journal.get(f"usage:{key}") != (1, coins):
            found.append(f"charge {key} of {coins} is in the journal as {journal.get(f'usage:{key}')}")
    found += [f"charge {key} was refused and taken" for key in told.refused if f"usage:{key}" in journal]
    return found


def _key(global_id: str) -> int:
    from core.ids import decode_id

    return decode_id(global_id)[1]
