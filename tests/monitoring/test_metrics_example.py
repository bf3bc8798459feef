"""The example of a product that tells its figures runs as it is, against a real server."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import uvicorn

from tests.factories.world import a_partner, a_product, an_install
from tests.onboarding.conftest import add_step
from web.app import build

EXAMPLE = Path(__file__).parents[2] / "client-examples" / "product_metrics.py"


async def test_the_example_tells_its_figures(owner: asyncpg.Connection) -> None:
    made = await a_product()
    await add_step(made.product.id, "schedule")
    install = await an_install((await a_partner()).id, made.product.id)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build(), log_level="warning", access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    told = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(EXAMPLE)],
        env={
            **os.environ,
            "KONTORA_URL": f"http://127.0.0.1:{listening.getsockname()[1]}",
            "KONTORA_PROJECT_TOKEN": made.project_token,
            "KONTORA_INSTALL": str(install.id),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    server.should_exit = True
    await serving
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == ["points taken: 5", "TODO         Step schedule", "done: 0 %"]
    assert await owner.fetchval("SELECT sum(value) FROM partner_metrics") == 340 + 1_250 + 88 + 41
