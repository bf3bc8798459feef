"""`kontora up` as its user meets it: started, doubled, killed in parts and whole, stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

WAIT_SECONDS = 30
COMMAND = [sys.executable, "-P", "-m", "cli.main", "up"]


class Copy:
    """One running copy of the house, its output collected."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir = data_dir
        self.port = port
        self.output = ""
        self.process = subprocess.Popen(
            COMMAND,
            env=_environment(data_dir, port),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
        self.process.stdout.close()

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds, or fail with the output."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def started(self) -> Copy:
        """This copy, once it has said that it runs."""
        self.until(lambda: "Ctrl-C stops everything" in self.output or self.process.poll() is not None)
        assert self.process.poll() is None, self.output
        return self

    def ready(self) -> bool:
        """Whether the API reaches its servers."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def child(self, part: str) -> psutil.Process | None:
        """The living child that runs this program or command of ours."""
        for process in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if process.name() == part or part in process.cmdline():
                    return process
        return None

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; gives the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(WAIT_SECONDS)
        self._reader.join(WAIT_SECONDS)
        return code


def _environment(data_dir: Path, port: int) -> dict[str, str]:
    ours = {"KONTORA_DATA_DIR": str(data_dir), "KONTORA_PORT": str(port), "KONTORA_DEMO_PASSWORD": "correct horse"}
    others = {name: value for name, value in os.environ.items() if not name.startswith("KONTORA_")}
    return others | ours


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A running copy that the tests of this module share."""
    running = Copy(tmp_path_factory.mktemp("up") / "data", _free_port())
    yield running.started()
    if running.process.poll() is None:
        running.end()


def refused(data_dir: Path, port: int) -> str:
    done = subprocess.run(
        COMMAND, env=_environment(data_dir, port), capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_it_says_where_it_is_and_how_to_sign_in(copy: Copy) -> None:
    assert copy.ready()
    assert f"http://127.0.0.1:{copy.port}/graphql" in copy.output
    assert "password correct horse" in copy.output
    for role in ("superadmin", "billing", "support", "developer", "auditor", "partner-owner"):
        assert f"{role}@demo.test" in copy.output


def test_a_used_port_is_said_plainly(copy: Copy, tmp_path: Path) -> None:
    assert f"port {copy.port} is used" in refused(tmp_path / "other", copy.port)


def test_a_used_data_folder_is_said_plainly(copy: Copy) -> None:
    assert "another Kontora runs on" in refused(copy.data_dir, _free_port())


def test_a_second_copy_runs_beside_and_ctrl_c_stops_it_whole(copy: Copy, tmp_path: Path) -> None:
    second = Copy(tmp_path / "second", _free_port()).started()
    children = psutil.Process(second.process.pid).children(recursive=True)
    assert second.ready()
    assert copy.ready()
    assert second.end(signal.SIGINT) == 0
    assert not psutil.wait_procs(children, timeout=5)[1]
    assert second.output.rstrip().endswith("Stopped.")
    assert copy.ready()


@pytest.mark.parametrize("part", ["serve", "work", "schedule", "postgres", "valkey-server"])
def test_a_killed_part_runs_again(copy: Copy, part: str) -> None:
    victim = copy.child(part)
    assert victim is not None
    victim.kill()
    copy.until(lambda: (now := copy.child(part)) is not None and now.pid != victim.pid)
    copy.until(copy.ready)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent was killed")
def test_after_kill_9_of_the_supervisor_or_of_everything_it_starts_again(copy: Copy) -> None:
    supervisor = psutil.Process(copy.process.pid)
    children = supervisor.children(recursive=True)
    supervisor.kill()
    copy.process.wait()
    assert not psutil.wait_procs(children, timeout=15)[1]

    second = Copy(copy.data_dir, copy.port).started()
    assert second.ready()
    for process in [psutil.Process(second.process.pid), *psutil.Process(second.process.pid).children(recursive=True)]:
        process.kill()
    second.process.wait()

    third = Copy(copy.data_dir, copy.port).started()
    try:
        assert third.ready()
    finally:
        assert third.end() == 0
    assert not re.search("Traceback", third.output)
