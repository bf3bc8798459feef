"""The example of a widget's back end runs as it is: it takes our events and asks us how installs stand."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from core.settings import get_settings
from tests.amocrm.conftest import Crm, run_messages
from tests.amocrm.test_widget import post
from tests.served import served
from web.app import build

EXAMPLE = Path(__file__).parents[2] / "client-examples" / "widget_backend.py"


@pytest.fixture
async def url(crm: Crm) -> AsyncIterator[str]:
    """The address of the application on a socket."""
    async with served(build()) as address:
        yield address


async def test_the_example_follows_an_install_through_its_life(
    crm: Crm, url: str, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings(), "allow_private_endpoints", True)
    known = {"KONTORA_PROJECT_TOKEN": crm.project_token, "KONTORA_EVENT_SECRET": crm.event_secret}
    environment = {**os.environ, **known, "KONTORA_URL": url, "PORT": "0"}
    example = await asyncio.create_subprocess_exec(sys.executable, str(EXAMPLE), stdout=PIPE, env=environment)
    assert example.stdout is not None
    try:
        endpoint = (await example.stdout.readline()).decode().split()[-1]
        await owner.execute(
            "UPDATE products SET install_endpoint = $1, activate_endpoint = $1, disable_endpoint = $1", endpoint
        )
        told: list[str] = []
        for step in (crm.install, lambda: activate(crm), crm.uninstall):
            await step()
            for _ in range(await run_messages(owner, "event.deliver")):
                told.append((await example.stdout.readline()).decode().strip())
        # A repeat, which retries after lost answers are, changes nothing; what we did not send is refused.
        await owner.execute("UPDATE product_events SET status = 'PENDING'")
        await owner.execute("UPDATE outbox_messages SET status = 'PENDING' WHERE kind = 'event.deliver'")
        assert await run_messages(owner, "event.deliver") == len(told)
        again = [(await example.stdout.readline()).decode().strip() for _ in told]
        async with httpx.AsyncClient() as http:
            assert (await http.post(endpoint, json={"type": "install.disabled"})).status_code == 401
    finally:
        example.kill()
        await example.wait()
    assert told == [
        "install.created: active False, seats 5, coins None",
        "install.activated: active True, seats 5, coins 1000.000",
        "install.disabled: active False, seats 5, coins 1000.000",
    ]
    assert again == [f"{line.partition(':')[0]} again: dropped" for line in told]


async def activate(crm: Crm) -> None:
    """Activate the widget from its page."""
    assert (await post(crm, await crm.token(), "activate", {})).status_code == 200
