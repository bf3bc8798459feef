"""A night in which every subscription is due: our batch against a bare `INSERT … SELECT` of the same invoices.

`KONTORA_BENCH_SUBSCRIPTIONS` says how many are due (100000), a part of them a round. Ours makes, beside the
invoice: its gapless number, its line, the audit event and the event for the product, and can be killed at any point.
"""

from __future__ import annotations

import asyncio
import os
import time

import asyncpg

from bench import world
from bench.pairs import paired
from core.database import dispose, transaction
from migrations.run import upgrade
from services import billing

PAIRS = 4
BARE_TABLE = "CREATE TABLE bare_invoices (LIKE invoices INCLUDING ALL)"
BARE = """
    INSERT INTO bare_invoices (partner_id, install_id, subscription_id, legal_entity, year, sequence, number, kind,
        plan_id, term, seats, unit_price, period_start, period_end, currency, total, due_at)
    SELECT s.partner_id, s.install_id, s.id, 'default', 2027, s.id, '2027-' || s.id, 'RENEWAL', s.plan_id, s.term,
        s.seats, s.unit_price, s.ends_at, s.ends_at + interval '1 month', s.currency,
        round(s.unit_price * s.seats, 2), s.ends_at
    FROM subscriptions s WHERE s.status = 'ACTIVE' AND s.id BETWEEN $1 AND $2
"""
FAR = "UPDATE subscriptions SET ends_at = now() + interval '60 days', starts_at = now() - interval '29 days'"
DUE = "UPDATE subscriptions SET ends_at = now() + interval '1 day' WHERE id BETWEEN $1 AND $2"


def run(url: str) -> str:
    """Fill the database and measure; gives the section of the results."""
    return asyncio.run(_run(url))


async def _run(url: str) -> str:
    due = int(os.environ.get("KONTORA_BENCH_SUBSCRIPTIONS", "100000"))
    # A round of each side is not counted.
    rows = due // (PAIRS + 1)
    await upgrade(url)
    await world.fill(url, partners=due // world.INSTALLS_PER_PARTNER, invoices_per_install=0)
    owner = await asyncpg.connect(url)
    for statement in (BARE_TABLE, FAR, "VACUUM FULL ANALYZE subscriptions"):
        await owner.execute(statement, timeout=600)
    written = issued = chunks = 0

    async def bare() -> float:
        nonlocal written
        began = time.perf_counter()
        await owner.execute(BARE, written + 1, written + rows, timeout=600)
        written += rows
        return time.perf_counter() - began

    async def renewals() -> float:
        nonlocal issued, chunks
        await owner.execute(DUE, issued + 1, issued + rows, timeout=600)
        began = time.perf_counter()
        while True:
            async with transaction() as session:
                taken = await billing.issue_due_renewals(session)
            if not taken:
                return time.perf_counter() - began
            issued, chunks = issued + taken, chunks + 1

    found = await paired(bare, renewals, pairs=PAIRS)
    gapless = await owner.fetchval("SELECT count(*) = max(sequence) AND max(sequence) = $1 FROM invoices", issued)
    await owner.close()
    await dispose()
    if issued != rows * (PAIRS + 1) or not gapless:
        raise SystemExit(f"{issued} of {due} renewals were issued, gapless: {gapless}")
    return (
        "| due | a round | bare INSERT … SELECT | renewals | chunks | times the bare one | invoices a second |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        f"| {issued:,} | {rows:,} | {found.limit:.2f} s | {found.ours:.2f} s | {chunks} | {found.told} | "
        f"{rows / found.ours:,.0f} |\n\n"
        f"{PAIRS} pairs of rounds in turn; medians, and the lowest and highest ratio. The bare statement writes only\n"
        "the invoice rows, in one go, into a table with the same columns, checks and indexes, without foreign keys. A\n"
        "renewal also locks its install and subscription, takes a gapless number, and writes line, audit event and\n"
        "product event; each chunk of 1,000 is a transaction of its own.\n"
    )
