"""Accounts of amoCRM install and uninstall a widget (INS-2)."""

from __future__ import annotations

import asyncpg
import httpx
import pytest

from core import crypto
from gateways.amocrm.client import AmoCrm, Integration
from gateways.amocrm.hosts import ForeignHost, account_domain, is_account_origin
from gateways.amocrm.signatures import hook_signature
from tests.amocrm.conftest import DOMAIN, Crm


async def counts(owner: asyncpg.Connection) -> tuple[int, ...]:
    tables = ("partners", "contacts", "installs", "subscriptions")
    return tuple([await owner.fetchval(f"SELECT count(*) FROM {table}") for table in tables])


async def events(owner: asyncpg.Connection) -> list[str]:
    return [row["type"] for row in await owner.fetch("SELECT type FROM product_events ORDER BY id")]


async def test_an_installation_becomes_partner_contact_install_tokens_and_trial(
    crm: Crm, owner: asyncpg.Connection
) -> None:
    answer = await crm.install()
    assert answer.status_code == 200
    assert "is installed" in answer.text
    partner = await owner.fetchrow("SELECT name, amocrm_account_id, amocrm_domain FROM partners")
    assert partner is not None
    assert tuple(partner) == ("Devteam", crm.emulator.account(DOMAIN).id, DOMAIN)
    assert await owner.fetchval("SELECT email FROM contacts") == f"admin@{DOMAIN}"
    assert await owner.fetchval("SELECT status FROM installs") == "INSTALLED"
    assert await owner.fetchval("SELECT status FROM subscriptions") == "TRIAL"
    assert await events(owner) == ["install.created"]
    token = await owner.fetchrow("SELECT * FROM oauth_tokens")
    assert token is not None
    grant = crm.emulator.grants[0]
    context = f"oauth_tokens.access_token:{token['install_id']}"
    assert crypto.decrypt(token["access_token_encrypted"], context) == grant.access_token
    assert grant.access_token not in str(token)


async def test_installing_again_renews_the_tokens_and_nothing_else(crm: Crm, owner: asyncpg.Connection) -> None:
    for _ in range(3):
        assert (await crm.install()).status_code == 200
    assert await counts(owner) == (1, 1, 1, 1)
    assert await owner.fetchval("SELECT count(*) FROM oauth_tokens WHERE active") == 1
    assert await events(owner) == ["install.created"]


async def test_uninstalled_and_installed_again(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    for _ in range(2):
        assert (await crm.uninstall()).text == "OK"
    assert await owner.fetchval("SELECT status FROM installs") == "DISABLED"
    assert await owner.fetchval("SELECT count(*) FROM oauth_tokens WHERE active") == 0
    assert (await crm.install()).status_code == 200
    assert await owner.fetchval("SELECT status FROM installs") == "INSTALLED"
    assert await counts(owner) == (1, 1, 1, 1)
    assert await events(owner) == ["install.created", "install.disabled", "install.created"]


async def test_each_account_is_a_partner(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    await crm.install("other.kommo.com")
    assert await counts(owner) == (2, 2, 2, 2)


async def test_without_the_list_of_people_there_is_no_contact(crm: Crm, owner: asyncpg.Connection) -> None:
    crm.emulator.account(DOMAIN).users[0]["id"] += 1
    crm.emulator.account(DOMAIN).users[:] = [{"id": 5, "name": "X", "email": None}]
    assert (await crm.install()).status_code == 200
    assert await owner.fetchval("SELECT full_name FROM contacts") == "X"


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"referer": "evil.example"}, 400),
        ({"referer": "amocrm.ru.evil.example"}, 400),
        ({"referer": "devteam.amocrm.ru.evil.example"}, 400),
        ({"referer": "127.0.0.1"}, 400),
        ({"referer": "devteam.amocrm.ru@evil.example"}, 400),
        ({"code": "made-up"}, 400),
        ({"code": ""}, 400),
        ({"client_id": "01d01160-d7a0-4087-b4af-6a1bb83fcd1d"}, 404),
        ({"client_id": "nonsense"}, 404),
        ({"error": "access_denied"}, 400),
    ],
)
async def test_strange_redirects_write_nothing(
    crm: Crm, owner: asyncpg.Connection, more: dict[str, str], status: int
) -> None:
    before = len(crm.emulator.calls)
    assert (await crm.install(**more)).status_code == status
    assert await counts(owner) == (0, 0, 0, 0)
    if "referer" in more:
        assert len(crm.emulator.calls) == before


async def test_a_code_is_good_once(crm: Crm, owner: asyncpg.Connection) -> None:
    code = crm.emulator.install(DOMAIN, crm.client_uuid)
    query = crm.emulator.redirect(DOMAIN, crm.client_uuid, code)
    assert (await crm.http.get("/amocrm/oauth", params=query)).status_code == 200
    assert (await crm.http.get("/amocrm/oauth", params=query)).status_code == 400


async def test_a_silent_amocrm_is_said_so(crm: Crm, owner: asyncpg.Connection) -> None:
    crm.emulator.internal_errors = 1
    assert (await crm.install()).status_code == 502
    assert await counts(owner) == (0, 0, 0, 0)


async def test_a_suspended_partner_installs_nothing(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    await owner.execute("UPDATE partners SET status = 'BLOCKED', status_reason = 'x'")
    assert (await crm.install()).status_code == 400


@pytest.mark.parametrize("field", ["signature", "client_uuid", "account_id"])
async def test_forged_hooks_disable_nothing(crm: Crm, owner: asyncpg.Connection, field: str) -> None:
    await crm.install()
    query = await crm.emulator.uninstall(DOMAIN, crm.client_uuid)
    answer = await crm.http.get("/amocrm/disabled", params={**query, field: "1" + query[field][1:]})
    assert answer.status_code in (403, 404)
    without = await crm.http.get("/amocrm/disabled")
    assert without.status_code == 404
    assert await owner.fetchval("SELECT status FROM installs") == "INSTALLED"


def test_the_hooks_signature_is_the_published_one() -> None:
    told = hook_signature("01d01160-d7a0-4087-b4af-6a1bb83fcd1d", "32720107", "secret")
    assert told == "66704de1ff8c90176a27178c1a62a0c85646f6f59021f45363d893e83e607d74"


@pytest.mark.parametrize(
    "host", ["a.b.amocrm.ru", "amocrm.ru", "-a.amocrm.ru", "a.amocrm.ru:80", "a.amocrm.ru/x", "", "я.amocrm.ru"]
)
def test_hosts_that_are_no_accounts(host: str) -> None:
    with pytest.raises(ForeignHost):
        account_domain(host)
    # Whatever row a domain was read from, an integration's secret is sent nowhere else.
    with pytest.raises(ForeignHost):
        AmoCrm(host, Integration("uuid", "secret", "https://kontora.test"))
    assert not is_account_origin(f"https://{host}")
    assert is_account_origin("https://a.amocrm.ru")
    assert not is_account_origin("http://a.amocrm.ru")
    assert account_domain(" DevTeam.AmoCRM.ru ") == DOMAIN


async def test_the_sandbox_has_a_desk_to_install_by_hand(database_url: str) -> None:
    from web.app import build

    transport = httpx.ASGITransport(build())
    async with httpx.AsyncClient(transport=transport, base_url="http://kontora.test") as http:
        desk = await http.get("/sandbox/amocrm/")
    assert desk.status_code == 200
    assert "Install" in desk.text
