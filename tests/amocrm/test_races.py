"""Several processes at once: one refresh, one use of a one-time token (INS-4, ACC-7)."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

import asyncpg

from tests.amocrm.conftest import Crm
from tests.amocrm.test_tokens import age, stored

RACING = Path(__file__).with_name("racing.py")
PROCESSES = 4


async def race(what: str, told: str) -> Counter[str]:
    """What came of it in each process, counted."""
    command = (sys.executable, str(RACING), what, told)
    pipe = asyncio.subprocess.PIPE
    started = [
        await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, env=dict(os.environ))
        for _ in range(PROCESSES)
    ]
    for process in started:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    ended = await asyncio.gather(*(process.communicate(b"go\n") for process in started))
    return Counter(out.decode().strip() for out, _ in ended)


async def test_processes_refresh_once(crm: Crm, owner: asyncpg.Connection, database_url: str) -> None:
    await crm.install()
    key = await age(owner)
    crm.emulator.calls.clear()
    crm.emulator.slow_seconds = 0.3
    came = await race("refresh", str(key))
    assert came["replaced"] == 1
    assert came["busy"] + came["nothing"] == PROCESSES - 1
    assert crm.emulator.calls == ["access_token"]
    assert await stored(owner) == crm.emulator.grants[0].refresh_token


async def test_processes_use_a_token_once(crm: Crm, owner: asyncpg.Connection, database_url: str) -> None:
    await crm.install()
    came = await race("widget", await crm.token())
    assert came == {"welcome": 1, "refused": PROCESSES - 1}
