"""The example of a product that tells its figures runs as it is, against a real server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg

from tests.factories.world import a_partner, a_product, an_install
from tests.onboarding.conftest import add_step
from tests.served import served
from web.app import build

EXAMPLE = Path(__file__).parents[2] / "client-examples" / "product_metrics.py"


async def test_the_example_tells_its_figures(owner: asyncpg.Connection) -> None:
    made = await a_product()
    await add_step(made.product.id, "schedule")
    install = await an_install((await a_partner()).id, made.product.id)
    async with served(build()) as url:
        told = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, str(EXAMPLE)],
            env={
                **os.environ,
                "KONTORA_URL": url,
                "KONTORA_PROJECT_TOKEN": made.project_token,
                "KONTORA_INSTALL": str(install.id),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == ["points taken: 5", "TODO         Step schedule", "done: 0 %"]
    assert await owner.fetchval("SELECT sum(value) FROM partner_metrics") == 340 + 1_250 + 88 + 41
