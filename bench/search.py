"""Search over a million partners against a page of them by key (PAR-2).

`KONTORA_BENCH_PARTNERS` says how many there are (1000000), each with one person.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence

import asyncpg
import uvloop

from bench.inside import percentiles, timed
from core.database import dispose
from migrations.run import upgrade

ROUNDS = 60
WARMING = 7
FIRST = (
    *("орион", "салон", "студия", "центр", "мастер", "вектор", "альфа", "север"),
    *("восток", "лидер", "квант", "гамма", "меридиан", "океан", "рубин", "сфера"),
)
FILL = (
    """
    INSERT INTO partners (name, legal_name, inn, amocrm_domain, segment)
    SELECT ($2::text[])[1 + n % 16] || ' ' || substr(md5(n::text), 1, 7), 'ООО ' || substr(md5((n * 7)::text), 1, 9),
        lpad((n * 7919 % 10000000000)::text, 10, '0'), 'd' || substr(md5((n * 3)::text), 1, 8) || '.amocrm.ru', 'small'
    FROM generate_series(1, $1::bigint) AS n
    """,
    """
    INSERT INTO contacts (partner_id, full_name, email, phone)
    SELECT n, 'Person ' || substr(md5((n * 11)::text), 1, 8), 'p' || n || '@x.test',
        '+79' || lpad((n * 6007 % 1000000000)::text, 9, '0')
    FROM generate_series(1, $1::bigint) AS n WHERE $2::text[] IS NOT NULL
    """,
)
SEARCH = "query($q: String!) { partnerSearch(query: $q) { partners { id name status } matches { score } } }"
PAGE = (
    "query($after: String) { partners(first: 20, after: $after) { nodes { id name status } pageInfo { endCursor } } }"
)


def run(url: str) -> str:
    """Fill the database and measure; gives the section of the results."""
    # The loop that the server runs on.
    return uvloop.run(_run(url))


async def _run(url: str) -> str:
    partners = int(os.environ.get("KONTORA_BENCH_PARTNERS", "1000000"))
    await upgrade(url)
    owner = await asyncpg.connect(url)
    if await owner.fetchval("SELECT count(*) FROM partners") < partners:
        for statement in FILL:
            await owner.execute(statement, partners, list(FIRST), timeout=1_200)
        await owner.execute("VACUUM ANALYZE partners, contacts", timeout=1_200)
    step = partners // ROUNDS
    rows = await owner.fetch("SELECT p.* FROM partners p WHERE id % $1 = 7", step)
    emails = await owner.fetch("SELECT email, phone FROM contacts WHERE id % $1 = 7", step)
    await owner.close()
    asked: dict[str, Sequence[str]] = {
        "part of a name": [row["name"][-6:] for row in rows],
        "beginning of a name": [row["name"][:10] for row in rows],
        "a word that one in 16 has": [row["name"].split()[0] for row in rows],
        "INN": [row["inn"] for row in rows],
        "amoCRM domain": [row["amocrm_domain"].split(".")[0] for row in rows],
        "email": [row["email"] for row in emails],
        "phone": [row["phone"] for row in emails],
        "name with a wrong letter": [f"{row['name'][:-4]}{'q'}{row['name'][-3:]}" for row in rows],
        "wrong letter in the first word": [f"{row['name'][:2]}q{row['name'][3:]}" for row in rows],
        "a word that one in 16 has, with a wrong letter": [
            f"{row['name'][:2]}q{row['name'].split()[0][3:]}" for row in rows
        ],
        "two wrong letters": [f"{row['name'][:2]}q{row['name'][3:-4]}q{row['name'][-3:]}" for row in rows],
        "nothing like it": [f"{row['name'][-3:]}zzyx{row['name'][-4:-2]}qq" for row in rows],
    }
    # What is made once for each connection and hour is not what a search takes.
    for _ in range(ROUNDS):
        await timed(PAGE, after=None)
    for queries in asked.values():
        for query in queries[:WARMING]:
            await timed(SEARCH, q=query)
    lines = ["| asked | p50 | p95 | the page's p50 | times the page |\n| --- | --- | --- | --- | --- |"]
    for name, queries in asked.items():
        pages, searches = [], []
        for query in queries:
            pages.append(await timed(PAGE, after=None))
            searches.append(await timed(SEARCH, q=query))
        (p50, p95), page = percentiles(searches), statistics.median(pages)
        lines.append(f"| {name} | {p50:.2f} ms | {p95:.2f} ms | {page:.2f} ms | {p50 / page:.1f} |")
        print(lines[-1], flush=True)
    await dispose()
    return (
        f"{partners:,} partners and as many people, through the whole planner, without HTTP, as staff, whose looks\n"
        "are logged. Before each search a page of 20 partners by key is read in the same way.\n\n" + "\n".join(lines)
    )
