"""`python -m bench [name…]`: measures, prints, and writes each section of `bench/RESULTS.md` anew.

`KONTORA_BENCH_DIR` says where the data folder is, kept between runs (`.kontora/bench`); each bench has its own
database there.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import asyncpg

from bench import audit, lists, looks, proof, reading, renewals, search, tracing, wallets, widget
from core.embedded import EmbeddedServers
from core.settings import get_settings

RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = "# What `make bench` measured\n"
# Whose database is kept between runs, for it takes long to fill and is only read; the others begin with an empty one.
KEPT = frozenset({"lists", "reading", "search"})
# Title and measurement; the measurement takes the address of its database and gives its section.
BENCHES: Mapping[str, tuple[str, Callable[[str], str]]] = MappingProxyType(
    {
        "audit": ("Writing with the audit trail", audit.run),
        "lists": ("Every list", lists.run),
        "looks": ("Pages of the access log", looks.run),
        "proof": ("Proof of each look, and walls", proof.run),
        "reading": ("Reading", reading.run),
        "renewals": ("A night of renewals", renewals.run),
        "search": ("Search", search.run),
        "tracing": ("Tracing that is off", tracing.run),
        "wallets": ("Charges of wallets", wallets.run),
        "widget": ("Widgets and tokens of amoCRM", widget.run),
    }
)


def main(names: list[str]) -> None:
    """Run the named benches, or all."""
    unknown = set(names) - set(BENCHES)
    if unknown:
        raise SystemExit(f"there is no bench {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    folder = Path(os.environ.get("KONTORA_BENCH_DIR", ".kontora/bench"))
    embedded = EmbeddedServers(folder)
    embedded.start()
    assert embedded.postgres is not None
    assert embedded.valkey is not None
    os.environ["KONTORA_DATA_DIR"] = str(folder)
    os.environ["KONTORA_REDIS_URL"] = embedded.valkey.url
    # As in production.
    os.environ.setdefault("KONTORA_LOG_FORMAT", "json")
    # One caller asks as often as the machine can answer.
    os.environ.setdefault("KONTORA_GRAPHQL_REQUESTS_PER_MINUTE", "1000000000")
    try:
        for name in names or BENCHES:
            title, run = BENCHES[name]
            url = embedded.postgres.url_of(f"bench_{name}")
            asyncio.run(_make_database(embedded.postgres.url, f"bench_{name}", keep=name in KEPT))
            os.environ["KONTORA_DATABASE_URL"] = url
            get_settings.cache_clear()
            section = run(url)
            print(f"\n{title}\n\n{section}")
            RESULTS.write_text(with_section(RESULTS.read_text(encoding="utf-8"), title, section), encoding="utf-8")
    finally:
        embedded.stop()


def with_section(results: str, title: str, section: str) -> str:
    """The results with one section replaced, or added at the end."""
    head, *parts = re.split(r"^## ", results, flags=re.MULTILINE)
    sections = dict(part.partition("\n")[::2] for part in parts)
    sections[title] = f"\n{section.strip()}\n\n"
    text = (head.strip() or HEAD.strip()) + "\n\n" + "".join(f"## {name}\n{body}" for name, body in sections.items())
    return text.rstrip() + "\n"


async def _make_database(url: str, name: str, *, keep: bool) -> None:
    connection = await asyncpg.connect(url)
    try:
        if not keep:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
            await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()


if __name__ == "__main__":
    main(sys.argv[1:])
