"""`make soak`: the real product under load for `KONTORA_SOAK_MINUTES` (10) while its processes die; then the proofs.

It starts `kontora up` in a folder of its own, lets `KONTORA_SOAK_CUSTOMERS` (8) order, pay, refund and spend over HTTP
while `tests.soak.trouble` kills what it can, waits until nothing is left to do, and ends with 1 where something does not
hold.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import asyncpg
import psutil

from core.embedded import EmbeddedServers
from tests.soak.callers import Caller, Person
from tests.soak.customers import ERRORS, Customer, Shop
from tests.soak.proof import violations, wait_until_quiet
from tests.soak.trouble import Trouble

PRODUCT = f"""mutation($input: ProductCreateInput!) {{ productCreate(input: $input) {{
    product {{ id }} projectToken {ERRORS} }} }}"""
PLAN = f"mutation($input: PlanCreateInput!) {{ planCreate(input: $input) {{ plan {{ id }} {ERRORS} }} }}"
PACKAGE = f"""mutation($input: CoinPackageCreateInput!) {{ coinPackageCreate(input: $input) {{
    coinPackage {{ id }} {ERRORS} }} }}"""


def main() -> None:
    """Run it; the exit code tells whether all held."""
    minutes = float(os.environ.get("KONTORA_SOAK_MINUTES", "10"))
    customers = int(os.environ.get("KONTORA_SOAK_CUSTOMERS", "8"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="kontora-soak-") as name:
        folder = Path(name)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KONTORA_")} | {
            "KONTORA_PORT": str(port),
            "KONTORA_DATA_DIR": str(folder / "data"),
            "KONTORA_DEMO_PASSWORD": secrets.token_urlsafe(12),
            "KONTORA_USAGE_REQUESTS_PER_MINUTE": "1000000",
        }
        with (folder / "log").open("wb") as log:
            house = subprocess.Popen(
                [sys.executable, "-P", "-m", "cli.main", "up"], env=environment, stdout=log, stderr=log
            )
        try:
            wrong = asyncio.run(_run(house, folder, environment, minutes * 60, customers))
        finally:
            house.send_signal(signal.SIGTERM)
            house.wait(60)
        tracebacks = (folder / "log").read_text(errors="replace").count("Traceback")
        print(f"tracebacks in the log: {tracebacks}")
        kept = os.environ.get("KONTORA_SOAK_LOG")
        if kept:
            Path(kept).write_bytes((folder / "log").read_bytes())
    for line in wrong:
        print(f"DOES NOT HOLD: {line}")
    sys.exit(bool(wrong))


async def _run(
    house: subprocess.Popen[bytes], folder: Path, environment: dict[str, str], seconds: float, customers: int
) -> list[str]:
    url = f"http://127.0.0.1:{environment['KONTORA_PORT']}"
    seen: Counter[str] = Counter()
    staff = Person(url, seen, "superadmin@demo.test", environment["KONTORA_DEMO_PASSWORD"])
    backend = Caller(url, seen)
    await backend.send("GET", "/health/ready")
    shop = await _shop(staff)
    backend.http.headers["X-Project-Token"] = shop.token
    served = [Customer(number, staff, backend, shop) for number in range(customers)]
    await asyncio.gather(*(customer.move_in() for customer in served))
    servers = EmbeddedServers(folder / "data")
    servers.start()
    assert servers.attached
    assert servers.postgres is not None
    until = asyncio.Event()
    trouble = Trouble(psutil.Process(house.pid), servers, seen)
    asyncio.get_running_loop().call_later(seconds, until.set)
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        group.create_task(trouble.go_on(until))
        group.create_task(_tell(seen, until))
        for customer in served:
            group.create_task(customer.live(until))
    await backend.send("GET", "/health/ready")
    owner = await asyncpg.connect(servers.postgres.url)
    wrong = await wait_until_quiet(owner)
    print(f"after {time.monotonic() - began:.0f} s: {dict(sorted(seen.items()))}")
    wrong += await violations(owner, [customer.told for customer in served], environment)
    await owner.close()
    return wrong


async def _shop(staff: Person) -> Shop:
    await staff.sign_in()
    product = await staff.change(PRODUCT, name="Soak", code="soak", kind="SAAS")
    product_id = product["product"]["id"]
    prices = [{"term": "MONTH", "unitPrice": "499.00"}]
    plan = await staff.change(PLAN, productId=product_id, name="Soak", prices=prices)
    package = await staff.change(PACKAGE, productId=product_id, name="Soak", coins="100", price="250.00")
    return Shop(product_id, product["projectToken"], plan["plan"]["id"], package["coinPackage"]["id"])


async def _tell(seen: Counter[str], until: asyncio.Event) -> None:
    while not until.is_set():
        try:
            async with asyncio.timeout(30):
                await until.wait()
        except TimeoutError:
            print(f"{sum(count for what, count in seen.items() if what.startswith('did'))} acts", flush=True)


if __name__ == "__main__":
    main()
