"""A product with steps, and its back end over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest

from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from policies.roles import ROLES
from services import onboarding
from tests.factories.world import STAFF, a_partner, a_product, an_install
from web.app import build

STEPS = (("dictionaries", True), ("schedule", True), ("import", False))


@dataclass
class Backend:
    """The back end of a product with steps and one install.

    Parameters:
        token: its project token.
        owner_user: the partner's own user.
    """

    http: httpx.AsyncClient
    token: str
    product: int
    partner: int
    install: int

    async def call(self, path: str, body: Any = None, *, install: int | None = None, token: str = "") -> httpx.Response:
        """Call a door of an install: GET without a body, else POST."""
        url = f"/api/onboarding/installs/{install or self.install}{path}"
        headers = {"X-Project-Token": token or self.token}
        if body is None:
            return await self.http.get(url, headers=headers)
        return await self.http.post(url, json=body, headers=headers)

    async def report(self, **statuses: str) -> dict[str, Any]:
        """Report steps; gives the run."""
        steps = [{"key": key, "status": status} for key, status in statuses.items()]
        answer = await self.call("/steps", {"steps": steps})
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    @property
    def owner_user(self) -> Principal:
        """The partner's owner."""
        return Principal(kind="partner", permissions=ROLES["PARTNER_OWNER"][1], user_id=None, partner_id=self.partner)


async def add_step(product_id: int, key: str, *, required: bool = True) -> int:
    """Add a step; gives its key."""
    values = onboarding.StepValues(title_ru=f"Шаг {key}", title_en=f"Step {key}", required=required)
    async with transaction() as session:
        return (await onboarding.create_step(session, STAFF, product_id=product_id, key=key, values=values)).id


@pytest.fixture
async def backend(owner: asyncpg.Connection) -> AsyncIterator[Backend]:
    """A product with three steps, installed at a partner."""
    made = await a_product()
    for key, required in STEPS:
        await add_step(made.product.id, key, required=required)
    partner = await a_partner()
    install = await an_install(partner.id, made.product.id)
    transport = httpx.ASGITransport(build(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kontora.test") as http:
        yield Backend(http, made.project_token, made.product.id, partner.id, install.id)


async def run_id(owner: asyncpg.Connection, install: int) -> str:
    """Global id of an install's run."""
    return encode_id("Onboarding", await owner.fetchval("SELECT id FROM onboardings WHERE install_id = $1", install))
