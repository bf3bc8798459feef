"""The client examples that need the whole house, run as their readers run them, and what must hold afterwards."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

HOUSE = Path(__file__).parents[2]
PASSWORD = "quickstart-password"
START_SECONDS = 60
STORY_SECONDS = 90


@dataclass(frozen=True)
class House:
    """A running house that may call private addresses."""

    url: str
    environment: dict[str, str]

    def run(self, *command: str) -> str:
        """What a command says beside the house; fails the test where it fails."""
        told = subprocess.run(
            [sys.executable, *command], env=self.environment, capture_output=True, text=True, timeout=STORY_SECONDS
        )
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout

    def example(self, name: str) -> list[str]:
        """The lines of a client example."""
        return self.run(str(HOUSE / "client-examples" / name)).splitlines()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The house, started once for all examples."""
    tmp_path = tmp_path_factory.mktemp("house")
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
    yield House(url, {**environment, "KONTORA_URL": url})
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(START_SECONDS)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_tells_the_whole_story(house: House) -> None:
    lines = house.example("quickstart.py")
    assert [line.partition(".")[0] for line in lines[:-1]] == [str(number) for number in range(1, 13)]
    assert lines[-1] == "done"
    assert "TRIAL" in lines[4]
    assert "47880.00 RUB" in lines[5]
    assert "invoice PAID; subscription ACTIVE" in lines[8]
    assert "signature right" in lines[9]
    assert "sees 1 partner" in lines[10]


def test_the_eight_scenarios_are_told_and_everything_adds_up(house: House) -> None:
    """Source 000, section 3."""
    lines = house.example("scenarios.py")
    assert [line[:2] for line in lines if not line.startswith(" ")] == [f"{n}." for n in range(1, 9)] + ["do"]
    asked = {line.split()[1].rstrip(":") for line in lines if line.startswith("   ") and line.split()[0].isupper()}
    page = (HOUSE / "docs" / "guide" / "scenarios.md").read_text()
    assert asked == set(re.findall(r"^(?:query|mutation) (\w+)", page, re.M)), "every document of the page is run"
    refused = [line.split("refused, ")[1].split(":")[0] for line in lines if "refused, " in line]
    assert refused == ["INVALID_ENDPOINT", "REINSTALL_NEEDED", "ALREADY_SUBSCRIBED", "INSUFFICIENT_COINS"]
    assert house.run("-P", "-m", "cli.main", "verify", "ledger") == "The ledger holds.\n"
    assert house.run("-P", "-m", "cli.main", "verify", "billing") == "Billing holds.\n"


def test_an_export_is_watched_and_downloaded(house: House, tmp_path: Path) -> None:
    lines = house.run(
        str(HOUSE / "client-examples" / "export_partners.py"), str(tmp_path / "partners.csv")
    ).splitlines()
    assert lines[-2].startswith("COMPLETED: ")
    assert (tmp_path / "partners.csv").read_bytes().count(b"\r\n") == int(lines[-2].split()[1]) + 1
