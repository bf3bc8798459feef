"""The audits of GraphQL over HTTP (npm package graphql-http) pass without a warning."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn

from web.app import app

FOLDER = Path(__file__).parent / "audits"
AUDITS = 61
NPM_SECONDS = 120


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=FOLDER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(NPM_SECONDS):
        output, errors = await process.communicate()
    if process.returncode:
        raise OSError(errors.decode())
    return output.decode()


@pytest.fixture
async def address(database_url: str) -> AsyncIterator[str]:
    """The endpoint on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
    serving = asyncio.create_task(server._serve([listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
    server.should_exit = True
    await serving


async def test_all_audits_pass(address: str) -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node is missing on this machine; the audits of GraphQL over HTTP did not run")
    if not (FOLDER / "node_modules").exists():
        try:
            await run("npm", "ci", "--no-audit", "--no-fund", "--fetch-timeout=15000", "--fetch-retries=1")
        except OSError as error:
            pytest.skip(f"npm cannot be reached; the audits of GraphQL over HTTP did not run: {error}")
    results = json.loads(await run("node", "run.js", address))
    assert len(results) == AUDITS
    assert [result for result in results if result["status"] != "ok"] == []
