"""With a replica: partners read from it, while staff, credentials and fresh changes stay on the main database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from core import database
from core.database import transaction
from core.principal import SYSTEM, Principal
from core.settings import get_settings
from models import Partner
from policies.roles import ROLES
from services import access
from tests.api import run
from tests.factories.world import STAFF, a_partner
from web.app import build

NAMES = "{ partners { nodes { name } } }"
PASSWORD = "correct horse battery"


@pytest.fixture
async def lagging(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Partner]:
    """A partner, and a read-only copy of the database that no later change reaches."""
    partner = await a_partner(name="Before")
    await database.dispose()
    url, _, name = database_url.partition("?")[0].rpartition("/")
    options = database_url.partition("?")[2]
    admin = await asyncpg.connect(f"{url}/postgres?{options}")
    await admin.execute(f"CREATE DATABASE {name}_replica TEMPLATE {name}")
    await admin.execute(f"ALTER DATABASE {name}_replica SET default_transaction_read_only = on")
    monkeypatch.setenv("KONTORA_READ_DATABASE_URL", f"{url}/{name}_replica?{options}")
    get_settings.cache_clear()
    async with transaction() as session:
        found = await session.get_one(Partner, partner.id)
        found.name = "After"
    yield partner
    await database.dispose()
    await admin.execute(f"DROP DATABASE {name}_replica WITH (FORCE)")
    await admin.close()


async def test_partners_read_from_the_replica_and_staff_from_the_main_database(lagging: Partner) -> None:
    owner = Principal(kind="partner", permissions=ROLES["PARTNER_OWNER"][1], partner_id=lagging.id)
    assert (await run(NAMES, owner))["data"]["partners"]["nodes"] == [{"name": "Before"}]
    assert (await run(NAMES, STAFF))["data"]["partners"]["nodes"] == [{"name": "After"}]


async def test_a_session_is_known_at_once(lagging: Partner) -> None:
    async with transaction() as session:
        await access.create_superadmin(session, SYSTEM, email="anna@demo.test", name="Anna", password=PASSWORD)
        found = await access.sign_in(session, email="anna@demo.test", password=PASSWORD)
    assert isinstance(found, access.SignedIn)
    transport = httpx.ASGITransport(build(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kontora.test") as client:
        bearer = {"Authorization": f"Bearer {found.access_token}"}
        answer = await client.post("/graphql", json={"query": "{ viewer { email } }"}, headers=bearer)
    assert answer.json()["data"]["viewer"] == {"email": "anna@demo.test"}
