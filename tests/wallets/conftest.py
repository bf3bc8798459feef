"""An install with a wallet, and the back end of its product over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest

from core.database import transaction
from core.ids import encode_id
from services import installs
from tests.factories.world import STAFF, a_partner, a_product, an_install
from web.app import build
from workers.handlers import register_handlers
from workers.outbox import process


@dataclass
class Backend:
    """A product's back end that charges the wallet of one install.

    Parameters:
        token: its project token.
    """

    http: httpx.AsyncClient
    token: str
    product: int
    install: int
    wallet: int

    @property
    def wallet_id(self) -> str:
        """The wallet's global id."""
        return encode_id("Wallet", self.wallet)

    async def post(self, path: str, body: Any, key: str | None = None, token: str | None = None) -> httpx.Response:
        """Call a door of the usage API."""
        headers = {"X-Project-Token": token or self.token} | ({"Idempotency-Key": key} if key else {})
        return await self.http.post(f"/api/v1/usage/{path}", json=body, headers=headers)

    async def charge(self, amount: str, key: str, **more: Any) -> httpx.Response:
        """Charge the install."""
        return await self.post(
            "charges", {"installId": str(self.install), "amount": amount, "description": "Call", **more}, key
        )

    async def hold(self, amount: str, key: str, **more: Any) -> httpx.Response:
        """Hold coins of the install."""
        return await self.post(
            "holds", {"installId": str(self.install), "amount": amount, "description": "Job", **more}, key
        )

    async def balance(self) -> Decimal:
        """What may be spent."""
        answer = await self.http.get(
            f"/api/v1/usage/installs/{self.install}/balance", headers={"X-Project-Token": self.token}
        )
        assert answer.status_code == 200, answer.text
        return Decimal(answer.json()["balance"])


@pytest.fixture
async def backend(owner: asyncpg.Connection) -> AsyncIterator[Backend]:
    """The back end of a product with an activated install, whose wallet holds 1,000 bonus coins."""
    register_handlers()
    made = await a_product(activate_endpoint="https://product.example/hook")
    install = await an_install((await a_partner()).id, made.product.id)
    async with transaction() as session:
        await installs.activate(session, STAFF, install_id=install.id)
    wallet = await owner.fetchval("SELECT id FROM wallets")
    transport = httpx.ASGITransport(build(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kontora.test") as http:
        yield Backend(http, made.project_token, made.product.id, install.id, wallet)


async def run_messages(owner: asyncpg.Connection, kind: str) -> int:
    """Handle what waits of a kind; gives how many."""
    rows = await owner.fetch("SELECT id FROM outbox_messages WHERE kind = $1 AND status = 'PENDING' ORDER BY id", kind)
    for row in rows:
        await process(row["id"])
    return len(rows)


async def events(owner: asyncpg.Connection, kind: str) -> list[str]:
    """Payloads of the events of a type that were told, in order."""
    return [
        row["payload"]
        for row in await owner.fetch("SELECT payload FROM product_events WHERE type = $1 ORDER BY id", kind)
    ]
