"""Pages of an access log of a million entries, a tenth of them of one partner, against a page of partners (ACC-5).

`KONTORA_BENCH_ENTRIES` says how many entries there are (1000000).
"""

from __future__ import annotations

import asyncio
import os
import statistics
from datetime import timedelta

import asyncpg

from bench.inside import percentiles, timed
from core import clock
from core.database import dispose
from core.ids import encode_id
from migrations.run import upgrade

PARTNERS = 1_000
WATCHED, QUIET = 777, 5
ROUNDS = 60
FILL = """
    WITH log AS (
        INSERT INTO access_log_entries (user_id, operation_name, document_hash, fields, partner_ids, created_at)
        SELECT 1 + n % 50, 'Operation' || n % 40, md5(n::text), '{Partner.id,Partner.name}',
            CASE WHEN n % 10 = 0 THEN ARRAY[$3::bigint, 1 + n * 7919 % $2] ELSE ARRAY[1 + n * 7919 % $2] END,
            now() - ($1 - n) * interval '30 seconds'
        FROM generate_series(1, $1::bigint) AS n RETURNING id, created_at, partner_ids)
    INSERT INTO access_log_partners (partner_id, created_at, entry_id)
    SELECT DISTINCT partner, created_at, id FROM log, unnest(partner_ids) AS partner
"""
PAGE = "{ partners(first: 20) { nodes { id name status } pageInfo { endCursor } } }"
LOG = """
query($partner: ID, $user: ID, $operation: String, $from: DateTime, $until: DateTime) {
  accessLogEntries(first: 20, filter: {partnerId: $partner, userId: $user, operationName: $operation,
      createdFrom: $from, createdBefore: $until}) {
    nodes { id createdAt userId operationName partnerIds } pageInfo { endCursor hasNextPage }
  }
}
"""


def run(url: str) -> str:
    """Fill the database and measure; gives the section of the results."""
    return asyncio.run(_run(url))


async def _run(url: str) -> str:
    entries = int(os.environ.get("KONTORA_BENCH_ENTRIES", "1000000"))
    await upgrade(url)
    owner = await asyncpg.connect(url)
    names = "INSERT INTO partners (name) SELECT 'Partner ' || n FROM generate_series(1, $1::bigint) AS n"
    await owner.execute(names, PARTNERS)
    await owner.execute(FILL, entries, PARTNERS, WATCHED, timeout=1_200)
    await owner.execute("VACUUM ANALYZE", timeout=1_200)
    await owner.close()
    long_ago = clock.now() - timedelta(seconds=30 * entries // 2)
    then = {"from": (long_ago - timedelta(days=7)).isoformat(), "until": long_ago.isoformat()}
    watched, quiet = ({"partner": encode_id("Partner", key)} for key in (WATCHED, QUIET))
    asked: dict[str, dict[str, str]] = {
        "the newest": {},
        "a week in the middle": then,
        f"a partner with {entries // 10:,} entries": watched,
        "the same, a week in the middle": {**watched, **then},
        "another partner": quiet,
        "the same partner, a week in the middle": {**quiet, **then},
        "a user": {"user": encode_id("User", 7)},
        "an operation, a week in the middle": {"operation": "Operation7", **then},
        "the partner, a user and an operation": {
            **watched, "user": encode_id("User", 11), "operation": "Operation10",
        },
    }  # fmt: skip
    lines = ["| page of 20 entries | p50 | p95 | times a page of partners |\n| --- | --- | --- | --- |"]
    for name, variables in asked.items():
        for _ in range(10):
            await timed(LOG, **variables)
        pairs = [(await timed(PAGE), await timed(LOG, **variables)) for _ in range(ROUNDS)]
        (p50, p95), page = percentiles([log for _, log in pairs]), statistics.median(page for page, _ in pairs)
        lines.append(f"| {name} | {p50:.2f} ms | {p95:.2f} ms | {p50 / page:.1f} |")
        print(lines[-1], flush=True)
    await dispose()
    return f"{entries:,} entries, through the whole planner, without HTTP, as staff.\n\n" + "\n".join(lines)
