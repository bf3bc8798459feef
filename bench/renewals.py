"""A night in which every subscription is due: our batch against a bare `INSERT … SELECT` of the same invoices.

`KONTORA_BENCH_SUBSCRIPTIONS` says how many are due (100000). Ours makes, beside the invoice: its gapless number, its
line, the audit event and the event for the product, and can be killed at any point.
"""

from __future__ import annotations

import asyncio
import os
import time

import asyncpg

from bench import world
from core.database import dispose, transaction
from migrations.run import upgrade
from services import billing

BARE_TABLE = "CREATE TABLE bare_invoices (LIKE invoices INCLUDING ALL)"
BARE = """
    INSERT INTO bare_invoices (partner_id, install_id, subscription_id, legal_entity, year, sequence, number, kind,
        plan_id, term, seats, unit_price, period_start, period_end, currency, total, due_at)
    SELECT s.partner_id, s.install_id, s.id, 'default', 2027, row_number() OVER (ORDER BY s.id),
        '2027-' || row_number() OVER (ORDER BY s.id), 'RENEWAL', s.plan_id, s.term, s.seats, s.unit_price,
        s.ends_at, s.ends_at + interval '1 month', s.currency, round(s.unit_price * s.seats, 2), s.ends_at
    FROM subscriptions s WHERE s.status = 'ACTIVE'
"""
DUE = """
    UPDATE subscriptions SET ends_at = now() + interval '1 day', starts_at = now() - interval '29 days'
"""


def run(url: str) -> str:
    """Fill the database and measure; gives the section of the results."""
    return asyncio.run(_run(url))


async def _run(url: str) -> str:
    due = int(os.environ.get("KONTORA_BENCH_SUBSCRIPTIONS", "100000"))
    await upgrade(url)
    await world.fill(url, partners=due // world.INSTALLS_PER_PARTNER, invoices_per_install=0)
    owner = await asyncpg.connect(url)
    for statement in (BARE_TABLE, DUE, "VACUUM FULL ANALYZE subscriptions"):
        await owner.execute(statement, timeout=600)
    began = time.perf_counter()
    await owner.execute(BARE, timeout=600)
    bare = time.perf_counter() - began
    began = time.perf_counter()
    issued = chunks = 0
    while True:
        async with transaction() as session:
            taken = await billing.issue_due_renewals(session)
        if not taken:
            break
        issued, chunks = issued + taken, chunks + 1
    ours = time.perf_counter() - began
    gapless = await owner.fetchval("SELECT count(*) = max(sequence) AND max(sequence) = $1 FROM invoices", issued)
    await owner.close()
    await dispose()
    if issued != due or not gapless:
        raise SystemExit(f"{issued} of {due} renewals were issued, gapless: {gapless}")
    return (
        "| due | bare INSERT … SELECT | renewals | chunks | times the bare one | invoices a second |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        f"| {due:,} | {bare:.1f} s | {ours:.1f} s | {chunks} | {ours / bare:.1f} | {issued / ours:,.0f} |\n\n"
        "The bare statement writes only the invoice rows, in one go, into a table with the same columns, checks and\n"
        "indexes, without foreign keys. A renewal also locks its install and subscription, takes a gapless number,\n"
        "and writes line, audit event and product event; each chunk of 1,000 is a transaction of its own.\n"
    )
