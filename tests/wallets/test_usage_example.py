"""The example of a product's back end runs as it is, against a real server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.served import served
from tests.wallets.conftest import Backend
from web.app import build

EXAMPLE = Path(__file__).parents[2] / "client-examples" / "usage_backend.py"


@pytest.fixture
async def url(backend: Backend) -> AsyncIterator[str]:
    """The address of the application on a socket."""
    async with served(build()) as address:
        yield address


async def test_the_example_tells_its_story(backend: Backend, url: str) -> None:
    told = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(EXAMPLE)],
        env={
            **os.environ,
            "KONTORA_URL": url,
            "KONTORA_PROJECT_TOKEN": backend.token,
            "KONTORA_INSTALL": str(backend.install),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[4:] == [
        "5. without coins: 402 INSUFFICIENT_COINS",
        "6. the wallet holds 988.250 coins",
    ]
