"""A partner with an install of a product, and plans to buy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest

from core import http
from core.database import transaction
from core.principal import Principal
from core.settings import get_settings
from domain.catalog import ProductKind, Term
from gateways.tbank.emulator import TBankEmulator
from models import Install, Partner, Plan, PlanPrice, Product
from policies.permissions import ALL
from services import events
from web.app import app
from workers.handlers import register_handlers

STAFF = Principal(kind="staff", permissions=ALL, roles=("SUPERADMIN",))


@dataclass(frozen=True)
class World:
    """Keys of the rows."""

    partner: int
    product: int
    install: int
    plan: int


@pytest.fixture
async def world(database_url: str) -> World:
    """One partner, one product with an endpoint, one install, one plan of 100 RUB a seat and month."""
    register_handlers()
    async with transaction() as session:
        partner = Partner(name="Partner")
        product = Product(
            name="Widget", code="widget", kind=ProductKind.SAAS, activate_endpoint="https://product.example/hook"
        )
        session.add_all([partner, product])
        await session.flush()
        events.new_secret(product)
        plan = Plan(product_id=product.id, name="Basic", min_seats=2)
        install = Install(partner_id=partner.id, product_id=product.id)
        session.add_all([plan, install])
        await session.flush()
        for term in Term:
            session.add(PlanPrice(plan_id=plan.id, term=term, unit_price=Decimal(100), currency="RUB"))
        made = World(partner.id, product.id, install.id, plan.id)
    return made


@pytest.fixture
def staff() -> Principal:
    """Somebody who may do everything."""
    return STAFF


@pytest.fixture
async def bank(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TBankEmulator]:
    """The emulator behind the client, and notifications that come to our own door."""
    monkeypatch.setenv("KONTORA_GATEWAY", "tbank")
    monkeypatch.setenv("KONTORA_TBANK_TERMINAL_KEY", "TinkoffBankTest")
    monkeypatch.setenv("KONTORA_TBANK_PASSWORD", "TinkoffBankTest")
    get_settings.cache_clear()

    async def send(url: str, body: str) -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as gateway:
            return (await gateway.post(url, content=body)).text

    emulator = TBankEmulator(send=send)

    @asynccontextmanager
    async def client(**_: Any) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(emulator.app)) as made:
            yield made

    monkeypatch.setattr(http, "client", client)
    yield emulator
    get_settings.cache_clear()
