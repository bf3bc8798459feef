"""The launcher of the embedded servers: attached to, killed, left behind, moved to long paths."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis

from core.embedded import EmbeddedServers

PARENT = """
import sys, time
from pathlib import Path
from core.embedded import EmbeddedServers

servers = EmbeddedServers(Path(sys.argv[1]))
servers.start()
print(servers.postgres.folder, flush=True)
time.sleep(600)
"""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[EmbeddedServers]:
    """Running servers on a folder of this test's own."""
    running = EmbeddedServers(tmp_path / "data")
    running.start()
    yield running
    running.stop()


async def select_one(servers: EmbeddedServers) -> int:
    assert servers.postgres is not None
    connection = await asyncpg.connect(servers.postgres.url)
    try:
        return int(await connection.fetchval("SELECT 1"))
    finally:
        await connection.close()


def ping(servers: EmbeddedServers) -> bool:
    assert servers.valkey is not None
    with redis.Redis.from_url(servers.valkey.url) as client:
        return bool(client.ping())


def postmaster(servers: EmbeddedServers) -> int:
    assert servers.postgres is not None
    return int((servers.postgres.folder / "postmaster.pid").read_text().split()[0])


def start_and_kill_a_parent(folder: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline()
    parent.stdout.close()
    parent.kill()
    parent.wait()


async def test_a_second_starter_attaches_and_leaves_the_servers_running(servers: EmbeddedServers) -> None:
    second = EmbeddedServers(servers.data_dir)
    assert second.start()
    assert second.attached
    assert await select_one(second) == 1
    second.stop()
    assert await select_one(servers) == 1
    assert ping(servers)


def test_a_starter_that_wants_the_folder_for_itself_is_refused(servers: EmbeddedServers) -> None:
    assert not EmbeddedServers(servers.data_dir).start(attach=False)


async def test_killed_servers_run_again(servers: EmbeddedServers) -> None:
    assert servers.restart_dead() == []
    assert servers.valkey is not None
    assert servers.valkey._process is not None
    os.kill(postmaster(servers), signal.SIGKILL)
    servers.valkey._process.kill()
    deadline = time.monotonic() + 10
    revived: list[str] = []
    while len(revived) < 2 and time.monotonic() < deadline:
        revived += servers.restart_dead()
    assert sorted(revived) == ["PostgreSQL", "Valkey"]
    assert await select_one(servers) == 1
    assert ping(servers)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent was killed")
async def test_servers_die_with_a_killed_parent_and_start_again_on_the_same_data(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    start_and_kill_a_parent(folder)
    again = EmbeddedServers(folder)
    try:
        assert again.start()
        assert not again.attached
        assert await select_one(again) == 1
        assert ping(again)
    finally:
        again.stop()


async def test_a_pid_file_that_names_another_program_is_no_obstacle(servers: EmbeddedServers) -> None:
    servers.stop()
    assert servers.postgres is not None
    file = servers.postgres.folder / "postmaster.pid"
    file.write_text(f"{os.getpid()}\n{servers.postgres.folder}\n1\n5432\n{servers.postgres.sockets}\n\n\nready\n")
    assert servers.start()
    assert await select_one(servers) == 1


async def test_sockets_of_a_long_path_go_to_a_short_one(tmp_path: Path) -> None:
    running = EmbeddedServers(tmp_path / ("long" * 30))
    try:
        running.start()
        assert running.postgres is not None
        assert len(str(running.postgres.sockets)) < 80
        assert await select_one(running) == 1
        assert ping(running)
    finally:
        running.stop()
