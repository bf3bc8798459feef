"""A widget of ours, the emulated amoCRM on a socket, and the application over HTTP."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
import httpx
import pytest
import uvicorn

from core.rates import Rates
from core.settings import get_settings
from domain.catalog import ProductKind
from gateways.amocrm.emulator import AmoCrmEmulator
from tests.factories.world import a_plan, a_product
from web.app import build
from workers.handlers import register_handlers
from workers.outbox import process

DOMAIN = "devteam.amocrm.ru"
BASE = "http://kontora.test"
SECRET = "the-secret-of-the-integration"


@dataclass
class Crm:
    """amoCRM, our application, and one widget.

    Parameters:
        http: a browser that follows no redirect.
        project_token, event_secret: what the product's back end holds.
    """

    emulator: AmoCrmEmulator
    http: httpx.AsyncClient
    client_uuid: str
    product: int
    plan: int
    project_token: str
    event_secret: str
    secrets: dict[str, str] = field(default_factory=dict)

    async def install(self, domain: str = DOMAIN, **more: str) -> httpx.Response:
        """Install the widget in an account, as amoCRM tells us of it."""
        code = self.emulator.install(domain, self.client_uuid)
        query = self.emulator.redirect(domain, self.client_uuid, code)
        return await self.http.get("/amocrm/oauth", params={**query, **more})

    async def uninstall(self, domain: str = DOMAIN, **more: str) -> httpx.Response:
        """Uninstall it."""
        query = await self.emulator.uninstall(domain, self.client_uuid)
        return await self.http.get("/amocrm/disabled", params={**query, **more})

    async def token(self, domain: str = DOMAIN, **claims: object) -> str:
        """A one-time token of the widget."""
        return await self.emulator.widget_token(domain, self.client_uuid, BASE, **claims)


@pytest.fixture
async def crm(owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crm]:
    """The emulator on a socket, and a widget whose integration it knows."""
    register_handlers()
    client_uuid = str(uuid.uuid4())
    secrets = {client_uuid: SECRET}

    async def secret_of(client: str) -> str | None:
        return secrets.get(client)

    emulator = AmoCrmEmulator(secret_of, f"{BASE}/amocrm/oauth", f"{BASE}/amocrm/disabled")
    emulator.limited = False
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(emulator.app, log_level="warning", access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    monkeypatch.setenv("KONTORA_AMOCRM_EMULATOR_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
    monkeypatch.setenv("KONTORA_PUBLIC_URL", BASE)
    monkeypatch.setattr("web.widget._rates", Rates())
    get_settings.cache_clear()
    made = await a_product(
        kind=ProductKind.WIDGET,
        client_uuid=uuid.UUID(client_uuid),
        client_secret=SECRET,
        activate_endpoint="https://product.example/hook",
    )
    plan = await a_plan(made.product.id)
    transport = httpx.ASGITransport(build(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        yield Crm(emulator, http, client_uuid, made.product.id, plan.id, made.project_token, made.event_secret, secrets)
    server.should_exit = True
    await serving


async def run_messages(owner: asyncpg.Connection, kind: str) -> int:
    """Handle what waits of a kind; gives how many."""
    rows = await owner.fetch("SELECT id FROM outbox_messages WHERE kind = $1 AND status = 'PENDING' ORDER BY id", kind)
    for row in rows:
        await process(row["id"])
    return len(rows)
