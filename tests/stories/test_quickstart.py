"""The first client example, run as its reader runs it: against the whole house, over HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

EXAMPLE = Path(__file__).parents[2] / "client-examples" / "quickstart.py"
PASSWORD = "quickstart-password"
START_SECONDS = 60
STORY_SECONDS = 90


@pytest.fixture
def house(tmp_path: Path) -> Iterator[str]:
    """The address of a running house that may call private addresses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KONTORA_")} | {
        "KONTORA_PORT": str(port),
        "KONTORA_DATA_DIR": str(tmp_path / "data"),
        "KONTORA_DEMO_PASSWORD": PASSWORD,
        "KONTORA_ALLOW_PRIVATE_ENDPOINTS": "true",
    }
    command = [sys.executable, "-P", "-m", "cli.main", "up"]
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_SECONDS
    while not _ready(url):
        assert process.poll() is None, (tmp_path / "output").read_text()
        assert time.monotonic() < deadline, (tmp_path / "output").read_text()
        time.sleep(0.1)
    yield url
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(START_SECONDS)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_tells_the_whole_story(house: str) -> None:
    environment = {**os.environ, "KONTORA_URL": house, "KONTORA_DEMO_PASSWORD": PASSWORD}
    told = subprocess.run(
        [sys.executable, str(EXAMPLE)], env=environment, capture_output=True, text=True, timeout=STORY_SECONDS
    )
    assert told.returncode == 0, told.stdout + told.stderr
    lines = told.stdout.splitlines()
    assert [line.partition(".")[0] for line in lines[:-1]] == [str(number) for number in range(1, 13)]
    assert lines[-1] == "done"
    assert "TRIAL" in lines[4]
    assert "47880.00 RUB" in lines[5]
    assert "invoice PAID; subscription ACTIVE" in lines[8]
    assert "signature right" in lines[9]
    assert "sees 1 partner" in lines[10]
