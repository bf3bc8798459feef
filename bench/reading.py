"""Three reads, ours against the limit and against the ordinary way, in one run.

Each server is pinned to one core and asked in turn; what counts are the ratios. Settings: `KONTORA_BENCH_PARTNERS`
(20000) and `KONTORA_BENCH_SECONDS` (length of a round, 5).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from bench import load, world
from bench.reads import READS
from core.database import dispose, transaction
from core.principal import SYSTEM
from migrations.run import upgrade
from services import access

ROUNDS = 3
CONNECTIONS = 8
START_SECONDS = 120
SERVERS = {
    "kontora": "web.app:app",
    "limit": "bench.limit:app",
    "ordinary": "bench.ordinary:app",
    "unlogged": "bench.unlogged:app",
}
AIMS = {"list of 50 invoices": 0.6, "one partner, 5 installs": 0.5, "nested page of 50 partners": 0.85}


@dataclass
class Server:
    """One server under measurement."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def resident_mb(self) -> float:
        """Memory of the process, MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"{self.name} has ended")


@contextmanager
def served(name: str) -> Iterator[Server]:
    """A server on a free port, pinned to the first core."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", SERVERS[name], "--port", str(port), "--no-access-log"]
    command += ["--log-level", "warning", "--no-server-header"]
    if shutil.which("taskset"):
        command = ["taskset", "-c", "0", *command]
    # The request log goes where production's goes: to a pipe or file, never to a terminal.
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.05)
        yield Server(name, port, process)
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)


async def prepare(url: str, email: str, password: str) -> None:
    """A migrated, filled database with somebody who may read everything."""
    await upgrade(url)
    await world.fill(url, partners=int(os.environ.get("KONTORA_BENCH_PARTNERS", world.PARTNERS)))
    async with transaction() as session:
        await access.create_superadmin(session, SYSTEM, email=email, name="Bench", password=password)
    await dispose()


def signed_in(port: int, email: str, password: str) -> dict[str, str]:
    """The header of a session."""
    query = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { message } } }"
    body = {"query": query, "variables": {"input": {"email": email, "password": password}}}
    answer: dict[str, Any] = httpx.post(f"http://127.0.0.1:{port}/graphql", json=body, timeout=30).json()
    return {"Authorization": f"Bearer {answer['data']['signIn']['accessToken']}"}


def check_answers(servers: list[Server], headers: dict[str, str]) -> None:
    """All servers must give the same data, or the comparison means nothing."""
    for title, body in READS.items():
        answers = [
            httpx.post(f"http://127.0.0.1:{server.port}/graphql", json=body, headers=headers, timeout=60).json()
            for server in servers
        ]
        for server, answer in zip(servers, answers, strict=True):
            if "errors" in answer or answer["data"] != answers[0]["data"]:
                raise SystemExit(f"{server.name} answers otherwise to {title!r}: {str(answer)[:500]}")


def measure(servers: list[Server], headers: dict[str, str]) -> dict[str, dict[str, list[load.Measured]]]:
    """Every read on every server in turn, several rounds."""
    seconds = float(os.environ.get("KONTORA_BENCH_SECONDS", "5"))
    found: dict[str, dict[str, list[load.Measured]]] = {title: {} for title in READS}
    for _ in range(ROUNDS):
        for title, body in READS.items():
            for server in servers:
                measured = load.run(server.port, orjson.dumps(body), headers, seconds=seconds, connections=CONNECTIONS)
                found[title].setdefault(server.name, []).append(measured)
                print(f"{title:28} {server.name:9} {measured.per_second:9.1f}/s", flush=True)
    return found


def report(found: dict[str, dict[str, list[load.Measured]]], memory: dict[str, float]) -> str:
    """The results as a table."""
    lines = [
        "| read | answer | limit /s | kontora /s | of the limit | aim | ordinary /s | times ordinary |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for title, by_server in found.items():
        rates = {name: statistics.median(item.per_second for item in rounds) for name, rounds in by_server.items()}
        size = by_server["kontora"][0].answer_bytes / 1000
        ours, limit, ordinary = rates["kontora"], rates["limit"], rates["ordinary"]
        lines.append(
            f"| {title} | {size:.1f} kB | {limit:,.0f} | {ours:,.0f} | {ours / limit:.2f} | {AIMS[title]} "
            f"| {ordinary:,.1f} | {ours / ordinary:.0f} |"
        )
    partners = int(os.environ.get("KONTORA_BENCH_PARTNERS", world.PARTNERS))
    lines += ["", f"World: {partners:,} partners, {partners * 5:,} installs, {partners * 25:,} invoices."]
    lines += [
        "Median of three rounds at concurrency 8; each server pinned to the same core; signed in as staff, so that"
    ]
    lines += ["permissions are checked and each read writes its access log entry. The limit does none of this."]
    lines += ["", f"Memory of the API process: {memory['kontora']:.0f} MB (limit {memory['limit']:.0f} MB)."]
    return "\n".join(lines) + "\n"


def run(url: str) -> str:
    """Prepare the world and measure; gives the section of the results."""
    email, password = f"bench-{secrets.token_hex(4)}@demo.test", secrets.token_urlsafe(16)
    asyncio.run(prepare(url, email, password))
    with served("kontora") as ours, served("limit") as limit, served("ordinary") as ordinary:
        servers = [ours, limit, ordinary]
        headers = signed_in(ours.port, email, password)
        check_answers(servers, headers)
        found = measure(servers, headers)
        return report(found, {server.name: server.resident_mb for server in servers})
