"""Widgets that ask how their install stands, and all installs' tokens asked for at once.

`KONTORA_BENCH_WIDGETS` says how many requests there are (4000).
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable

import asyncpg
import httpx
from joserfc import jwt
from joserfc.jwk import OctKey

from bench import world
from core import crypto
from core.database import dispose, transaction
from core.principal import Principal
from core.rates import Rates
from core.settings import get_settings
from migrations.run import upgrade
from services import amocrm
from services.install_state import install_state
from web import widget
from web.app import build

PARTNERS = 20_000
CONCURRENCY = 8
SECRET = "a-secret-as-long-as-they-should-be"
CLIENT = uuid.UUID("01d01160-d7a0-4087-b4af-6a1bb83fcd1d")
STAFF = Principal(
    kind="staff", permissions=frozenset({"oauth_token:refresh", "partner:all_rows"}), roles=("SUPERADMIN",)
)
TOKENS = """
    INSERT INTO oauth_tokens (partner_id, install_id, access_token_encrypted, refresh_token_encrypted, expires_at)
    SELECT partner_id, id, '', '', now() + interval '1 day' FROM installs
"""


def run(url: str) -> str:
    """Fill the database and measure; gives the section of the results."""
    return asyncio.run(_run(url))


async def _run(url: str) -> str:
    asked = int(os.environ.get("KONTORA_BENCH_WIDGETS", "4000"))
    await upgrade(url)
    await world.fill(url, partners=PARTNERS, invoices_per_install=1)
    owner = await asyncpg.connect(url)
    product = await owner.fetchval("SELECT min(id) FROM products")
    secret = crypto.encrypt(SECRET, f"products.client_secret:{product}")
    await owner.execute(
        "UPDATE products SET client_uuid = $1, client_secret_encrypted = $2 WHERE id = $3", CLIENT, secret, product
    )
    await owner.execute("UPDATE partners SET amocrm_account_id = id")
    await owner.execute(TOKENS, timeout=600)
    await owner.execute("VACUUM ANALYZE", timeout=600)
    installs = [row["id"] for row in await owner.fetch("SELECT id FROM installs WHERE product_id = $1", product)]
    bare = await _rate(asked, lambda number: _state(installs[number % len(installs)]))
    tokens = [_token(number, number % PARTNERS + 1) for number in range(asked)]
    # Many more requests than one install's widgets would be allowed.
    widget._rates = Rates()
    transport = httpx.ASGITransport(build())
    async with httpx.AsyncClient(transport=transport, base_url=get_settings().base_url) as http:
        whole = await _rate(asked, lambda number: _ask(http, tokens[number]))
    began = time.perf_counter()
    async with transaction() as session:
        wanted = await amocrm.request_refresh_of_all(session, STAFF)
    seconds = time.perf_counter() - began
    await owner.close()
    await dispose()
    return (
        "| requests | state alone /s | with the one-time token /s | refreshes asked for | in |\n"
        "| --- | --- | --- | --- | --- |\n"
        f"| {asked:,} | {bare:,.0f} | {whole:,.0f} | {wanted:,} | {seconds:.1f} s |\n\n"
        f"World: {len(installs) * world.INSTALLS_PER_PARTNER:,} installs. Concurrency {CONCURRENCY}, one process, no "
        "sockets. The state is one query in a\ntransaction. A request checks the token, uses it up in a transaction of "
        "its own, which waits for the disk, and\nthen asks for the state.\n"
    )


async def _rate(count: int, call: Callable[[int], Awaitable[None]]) -> float:
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await call(number)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return count / (time.perf_counter() - began)


async def _state(install: int) -> None:
    async with transaction() as session:
        await install_state(session, install)


async def _ask(http: httpx.AsyncClient, token: str) -> None:
    answer = await http.get("/api/v1/widget/install", headers={"X-Auth-Token": token})
    if answer.status_code != 200:
        raise SystemExit(f"a widget was refused: {answer.text}")


def _token(number: int, account: int) -> str:
    now = int(time.time())
    claims = {
        "iss": f"https://p{account}.amocrm.ru",
        "aud": get_settings().base_url,
        "jti": f"bench-{number}-{now}",
        "iat": now,
        "nbf": now,
        "exp": now + 1800,
        "account_id": account,
        "user_id": 1,
        "client_uuid": str(CLIENT),
        "is_admin": True,
    }
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))
