"""The standing of a partner at each door to the outside: people's credentials, products' back ends, amoCRM (PAR-1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import MappingProxyType

import asyncpg
import pytest

from core import clock
from core.crypto import keyed_hash
from core.errors import Unauthenticated
from domain.partners import PartnerMay, PartnerStatus, allows
from services.access import principals
from services.access.principals import API_TOKEN_PURPOSE, COOKIE_PURPOSE
from tests.amocrm.conftest import DOMAIN, Crm, crm
from tests.amocrm.test_widget import get, post
from tests.wallets.conftest import Backend, backend

__all__ = ["backend", "crm"]
Door = Callable[[Backend, asyncpg.Connection, PartnerStatus], Awaitable[bool]]


async def stand(owner: asyncpg.Connection, status: PartnerStatus) -> None:
    reason = None if status == PartnerStatus.ACTIVE else "x"
    await owner.execute("UPDATE partners SET status = $1, status_reason = $2", status, reason)


async def user_of(owner: asyncpg.Connection) -> int:
    """A user of the partner."""
    key: int = await owner.fetchval(
        "INSERT INTO users (kind, partner_id, email, full_name, password_hash) "
        "SELECT 'PARTNER', id, 'a@x.test', 'A', 'x' FROM partners RETURNING id"
    )
    return key


async def lets_in(ask: Awaitable[object]) -> bool:
    try:
        await ask
    except Unauthenticated:
        return False
    return True


async def by_cookie(_: Backend, owner: asyncpg.Connection, status: PartnerStatus) -> bool:
    await owner.execute(
        "INSERT INTO sessions (user_id, partner_id, kind, cookie_hash, expires_at, last_used_at) "
        "SELECT id, partner_id, 'COOKIE', $2, $3, now() FROM users WHERE id = $1",
        await user_of(owner),
        keyed_hash("cookie", COOKIE_PURPOSE),
        clock.now() + timedelta(days=1),
    )
    await stand(owner, status)
    return await lets_in(principals.principal_of_cookie("cookie"))


async def by_api_token(_: Backend, owner: asyncpg.Connection, status: PartnerStatus) -> bool:
    await owner.execute(
        "INSERT INTO api_tokens (user_id, partner_id, name, token_hash, hint, permissions, expires_at) "
        "SELECT id, partner_id, 'x', $2, 'x', '{partner:read}', $3 FROM users WHERE id = $1",
        await user_of(owner),
        keyed_hash("token", API_TOKEN_PURPOSE),
        clock.now() + timedelta(days=1),
    )
    await stand(owner, status)
    return await lets_in(principals.principal_of_api_token("token"))


async def charges(backend: Backend, owner: asyncpg.Connection, status: PartnerStatus) -> bool:
    await stand(owner, status)
    return (await backend.charge("1", "key")).status_code == 201


async def holds(backend: Backend, owner: asyncpg.Connection, status: PartnerStatus) -> bool:
    await stand(owner, status)
    return (await backend.hold("1", "key")).status_code == 201


async def is_active(backend: Backend, owner: asyncpg.Connection, status: PartnerStatus) -> bool:
    await stand(owner, status)
    answer = await backend.http.get(
        f"/api/v1/usage/installs/{backend.install}", headers={"X-Project-Token": backend.token}
    )
    return bool(answer.json()["active"])


async def reads_events(backend: Backend, owner: asyncpg.Connection, status: PartnerStatus) -> bool:
    await stand(owner, status)
    answer = await backend.http.get("/api/v1/events", headers={"X-Project-Token": backend.token})
    return answer.status_code == 200 and bool(answer.json()["events"])


DOORS: MappingProxyType[Door, PartnerMay] = MappingProxyType(
    {
        by_cookie: PartnerMay.SIGN_IN,
        by_api_token: PartnerMay.SIGN_IN,
        charges: PartnerMay.USE,
        holds: PartnerMay.USE,
        is_active: PartnerMay.USE,
        reads_events: PartnerMay.HEAR,
    }
)


@pytest.mark.parametrize("status", list(PartnerStatus))
@pytest.mark.parametrize("door", list(DOORS), ids=lambda door: door.__name__)
async def test_each_door_holds(owner: asyncpg.Connection, backend: Backend, door: Door, status: PartnerStatus) -> None:
    assert await door(backend, owner, status) == allows(status, DOORS[door])


@pytest.mark.parametrize("status", list(PartnerStatus))
async def test_amocrm_installs_again_only_where_installing_is_allowed(
    crm: Crm, owner: asyncpg.Connection, status: PartnerStatus
) -> None:
    await crm.install()
    await stand(owner, status)
    assert ((await crm.install()).status_code == 200) == allows(status, PartnerMay.INSTALL), DOMAIN


@pytest.mark.parametrize("status", list(PartnerStatus))
async def test_a_widget_does_what_its_partner_may(crm: Crm, owner: asyncpg.Connection, status: PartnerStatus) -> None:
    await crm.install()
    await post(crm, await crm.token(), "activate", {})
    bill = (await post(crm, await crm.token(), "orders", {"planId": crm.plan})).json()["invoiceNumber"]
    await owner.execute("UPDATE installs SET status = 'INSTALLED'")
    await stand(owner, status)
    asked = {
        "payments": (PartnerMay.USE, {"invoiceNumber": bill}),
        "activate": (PartnerMay.INSTALL, {}),
        "orders": (PartnerMay.BUY, {"planId": crm.plan}),
    }
    for path, (needed, body) in asked.items():
        answer = await post(crm, await crm.token(), path, body)
        assert answer.status_code == (403 if not allows(status, needed) else 201 if path == "orders" else 200), path
    plans = await get(crm, await crm.token(), "plans")
    assert plans.status_code == (200 if allows(status, PartnerMay.USE) else 403)
    # Whatever it is, the widget learns how it stands.
    state = await get(crm, await crm.token())
    assert (state.status_code, state.json()["active"]) == (200, allows(status, PartnerMay.INSTALL))
