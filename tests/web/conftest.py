"""The real application over HTTP, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from core.database import transaction
from core.principal import SYSTEM
from services import access
from web.app import build

PASSWORD = "correct horse battery"
EMAIL = "anna@demo.test"


@pytest.fixture
async def http(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application on the test's database; nobody is signed in."""
    transport = httpx.ASGITransport(build(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kontora.test") as client:
        yield client


@pytest.fixture
async def token(database_url: str) -> str:
    """An access token of a superadmin."""
    async with transaction() as session:
        await access.create_superadmin(session, SYSTEM, email=EMAIL, name="Anna", password=PASSWORD)
        found = await access.sign_in(session, email=EMAIL, password=PASSWORD)
    assert isinstance(found, access.SignedIn)
    return found.access_token
