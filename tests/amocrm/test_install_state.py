"""Widgets are told whether an install may be used (INS-5)."""

from __future__ import annotations

import asyncpg
import pytest

from tests.amocrm.conftest import Crm
from tests.amocrm.test_widget import get, post


@pytest.mark.parametrize(
    ("change", "active"),
    [
        ("UPDATE subscriptions SET status = 'ACTIVE', ends_at = now() - interval '1 day'", True),
        ("UPDATE subscriptions SET status = 'CANCELED'", False),
        ("UPDATE subscriptions SET status = 'ACTIVE', paused_at = now()", False),
        ("UPDATE products SET subscriptions_enabled = false", True),
        ("UPDATE installs SET status = 'DISABLED'", False),
    ],
)
async def test_what_makes_it_active(crm: Crm, owner: asyncpg.Connection, change: str, active: bool) -> None:
    await crm.install()
    await post(crm, await crm.token(), "activate", {})
    await owner.execute("UPDATE subscriptions SET starts_at = now() - interval '9 days'")
    await owner.execute("UPDATE installs SET subscribed_until = now() - interval '1 second'")
    await owner.execute(change)
    assert (await get(crm, await crm.token())).json()["active"] is active
