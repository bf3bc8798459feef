"""What the audit trail costs those who write: with it and its chain sealed behind them, and without (ACC-6).

The mutations are whole: document, permissions, service, payload, sixteen callers at once. Without the trail
`services.audit.record` does nothing; without the chain the trail is written and nobody seals it. The sealer is a
process of its own that seals once a second, where the schedule does so once a minute.
`KONTORA_BENCH_WRITES` says how many mutations a round has (400).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from bench import world
from bench.pairs import Measure, paired
from core.database import dispose, transaction
from core.ids import encode_id
from core.principal import SYSTEM, Principal
from migrations.run import upgrade
from planner.write import dumps
from policies.permissions import ALL
from resolvers.mutation import run_mutation
from resolvers.root import planner
from services import audit, audit_chain
from services.audit_verify import verify_audit

AIM = 0.9
CALLERS = 16
PAIRS = 7
PARTNERS = 400
SEAL_EVERY_SECONDS = 1
STAFF = Principal(kind="staff", permissions=ALL, roles=("SUPERADMIN",))
MUTATIONS = {
    "partnerUpdate": "mutation($input: PartnerUpdateInput!) { partnerUpdate(input: $input) {"
    " partner { name version } userErrors { code } } }",
    "contactCreate": "mutation($input: ContactCreateInput!) { contactCreate(input: $input) {"
    " contact { id fullName } userErrors { code } } }",
    "subscriptionSetAutoRenew": "mutation($input: SubscriptionSetAutoRenewInput!) {"
    " subscriptionSetAutoRenew(input: $input) { subscription { autoRenew version } userErrors { code } } }",
}
_record = audit.record


def run(url: str) -> str:
    """Fill the database and measure; gives the section of the results."""
    return asyncio.run(_run(url))


async def _run(url: str) -> str:
    writes = int(os.environ.get("KONTORA_BENCH_WRITES", "400"))
    await upgrade(url)
    await world.fill(url, partners=PARTNERS, invoices_per_install=0)
    lines = ["| mutation | no trail /s | trail and chain /s | both: of no trail | chain alone: of the trail | aim |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    async with _sealer(url) as sealing:
        for name in MUTATIONS:
            numbers = itertools.count()
            without = _side(name, writes, numbers, sealing, trail=False, chain=False)
            unsealed = _side(name, writes, numbers, sealing, trail=True, chain=False)
            whole = _side(name, writes, numbers, sealing, trail=True, chain=True)
            of_none = await paired(without, whole, pairs=PAIRS)
            of_unsealed = await paired(unsealed, whole, pairs=PAIRS)
            lines.append(
                f"| {name} | {of_none.limit:,.0f} | {of_none.ours:,.0f} | {of_none.told} | {of_unsealed.told} | {AIM} |"
            )
            print(lines[-1], flush=True)
    audit.record = _record
    async with transaction(SYSTEM) as session:
        while await audit_chain.seal(session) is not None:
            pass
        proof = await verify_audit(session)
    await dispose()
    if proof.violations or not proof.sealed:
        raise SystemExit(f"the chain does not hold: {proof.violations[:3]}")
    return "\n".join(
        [
            *lines,
            "",
            f"{PAIRS} pairs of rounds in turn, {writes:,} mutations each by {CALLERS} callers in one process; the "
            "ratio is the\nmedian of the pairs' (lowest–highest). A process of its own seals all that has ended every "
            f"{SEAL_EVERY_SECONDS} s, 60 times\nas often as the schedule; writers wait for nothing of it. Afterwards "
            f"all {proof.sealed:,} events are sealed and the chain is proved.\n",
        ]
    )


def _side(
    name: str,
    writes: int,
    numbers: Iterator[int],
    sealing: Callable[[bool], Awaitable[None]],
    *,
    trail: bool,
    chain: bool,
) -> Measure:
    """Mutations a second, one way."""

    async def measure() -> float:
        audit.record = _record if trail else _nothing
        await sealing(chain)
        inputs = [input_of(name, next(numbers)) for _ in range(writes)]
        await write(name, inputs.pop(), check=True)
        waiting = iter(inputs)

        async def caller() -> None:
            for given in waiting:
                await write(name, given)

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return (writes - 1) / (time.perf_counter() - began)

    return measure


async def write(name: str, given: dict[str, Any], *, check: bool = False) -> None:
    """Run one mutation as a front end would have it run."""
    answer = await planner.execute(
        MUTATIONS[name], None, {"input": given}, STAFF, allow_mutation=True, run_mutation=run_mutation
    )
    assert not answer.errors, answer.errors
    if check:
        told = dumps({"data": answer.data})
        assert b'"userErrors":[]' in told, told


def input_of(name: str, number: int) -> dict[str, Any]:
    """Callers meet on no row: each mutation has the next partner, so that its cost is not hidden behind waiting."""
    round_of, key = divmod(number, PARTNERS)
    match name:
        case "partnerUpdate":
            return {"id": encode_id("Partner", key + 1), "version": round_of + 1, "name": f"Partner {number}"}
        case "contactCreate":
            return {"partnerId": encode_id("Partner", key + 1), "fullName": f"Person {number}", "phone": "+79990001122"}
        case _:
            given = {"version": round_of + 1, "autoRenew": bool(round_of % 2), "idempotencyKey": f"bench-{number}"}
            return {"id": encode_id("Subscription", key + 1), **given}


async def _nothing(*_: Any, **__: Any) -> None:
    """The trail, left out."""


@asynccontextmanager
async def _sealer(url: str) -> AsyncIterator[Callable[[bool], Awaitable[None]]]:
    """A process that seals all the time, and the switch that holds it off: its own lock, taken by us."""
    owner = await asyncpg.connect(url)
    command = (sys.executable, "-m", "bench.sealer", str(SEAL_EVERY_SECONDS))
    process = await asyncio.create_subprocess_exec(*command)
    held = False

    async def sealing(wanted: bool) -> None:
        nonlocal held
        if wanted == held:
            how = "pg_advisory_unlock" if held else "pg_advisory_lock"
            await owner.execute(f"SELECT {how}({audit_chain.CHAIN_LOCK})")
            held = not wanted

    try:
        yield sealing
    finally:
        await sealing(True)
        process.terminate()
        await process.wait()
        await owner.close()
