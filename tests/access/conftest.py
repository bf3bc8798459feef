"""The application over HTTP with the people of the demo world, for the tests of access."""

from __future__ import annotations

import pytest

from core.database import transaction
from core.settings import get_settings
from services import demo
from tests.web.conftest import http, token
from web import auth

__all__ = ["demo_world", "http", "token"]


@pytest.fixture
async def demo_world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The demo users, with their password; nobody is trusted for longer than the moment, so that changes show at once."""
    monkeypatch.setattr(auth, "TRUSTED_SECONDS", 0.0)
    password = get_settings().demo_users_password()
    async with transaction() as session:
        await demo.seed(session, password=password)
    return password
