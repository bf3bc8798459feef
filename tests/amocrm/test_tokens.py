"""Tokens at amoCRM are replaced before they end, once, and survive lost answers and killed workers (INS-4)."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from core import clock, crypto
from core.database import transaction
from core.ids import encode_id
from gateways.amocrm.client import AmoCrm, AmoCrmUnanswered, Integration
from services import amocrm
from services.amocrm.tokens import Refreshing
from tests.amocrm.conftest import BASE, DOMAIN, SECRET, Crm, run_messages
from tests.api import payload

REFRESH = """
mutation($input: OAuthTokenRefreshInput!) { oauthTokenRefresh(input: $input) {
  oauthToken { invalidBecause refreshedAt } userErrors { code field } } }
"""
REFRESH_ALL = """
mutation($input: OAuthTokensRefreshAllInput!) { oauthTokensRefreshAll(input: $input) { asked userErrors { code } } }
"""
KILLED = Path(__file__).with_name("killed_refresh.py")


async def stored(owner: asyncpg.Connection) -> str:
    row = await owner.fetchrow("SELECT install_id, refresh_token_encrypted FROM oauth_tokens WHERE active")
    assert row is not None
    return crypto.decrypt(row["refresh_token_encrypted"], f"oauth_tokens.refresh_token:{row['install_id']}")


async def age(owner: asyncpg.Connection, hours: float = 1) -> int:
    """Let the tokens end in some hours; gives the row's key."""
    ends = clock.now() + timedelta(hours=hours)
    found: int = await owner.fetchval("UPDATE oauth_tokens SET expires_at = $1 WHERE active RETURNING id", ends)
    return found


async def ask() -> int:
    async with transaction() as session:
        return await amocrm.ask_for_refreshes(session, 100)


async def test_only_what_ends_soon_is_refreshed_and_once(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    assert await ask() == 0
    await age(owner)
    assert (await ask(), await ask()) == (1, 0)
    before = await stored(owner)
    assert await run_messages(owner, "oauth_token.refresh") == 1
    assert await stored(owner) == crm.emulator.grants[0].refresh_token != before
    assert await owner.fetchval("SELECT expires_at > now() + interval '23 hours' FROM oauth_tokens WHERE active")
    assert await ask() == 0


async def test_many_workers_call_once(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    key = await age(owner)
    crm.emulator.calls.clear()
    results = await asyncio.gather(*(amocrm.refresh(key, force=False) for _ in range(8)), return_exceptions=True)
    assert [result for result in results if result is True] == [True]
    assert all(result in (True, False) or isinstance(result, Refreshing) for result in results)
    assert crm.emulator.calls == ["access_token"]


async def test_a_lost_answer_does_not_lose_the_account(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    key = await age(owner)
    before = await stored(owner)
    crm.emulator.lost_answers = 1
    with pytest.raises(AmoCrmUnanswered):
        await amocrm.refresh(key, force=False)
    assert await stored(owner) == before != crm.emulator.grants[0].refresh_token
    # The lease was given back; nobody waits for its end.
    assert await amocrm.refresh(key, force=False)
    assert await stored(owner) == crm.emulator.grants[0].refresh_token
    await works(crm, owner)


async def works(crm: Crm, owner: asyncpg.Connection) -> None:
    row = await owner.fetchrow("SELECT install_id, access_token_encrypted FROM oauth_tokens WHERE active")
    assert row is not None
    access = crypto.decrypt(row["access_token_encrypted"], f"oauth_tokens.access_token:{row['install_id']}")
    integration = Integration(crm.client_uuid, SECRET, f"{BASE}/amocrm/oauth")
    assert (await AmoCrm(DOMAIN, integration).account(access)).subdomain == "devteam"


async def test_a_worker_killed_after_the_answer_loses_nothing(
    crm: Crm, owner: asyncpg.Connection, database_url: str
) -> None:
    await crm.install()
    key = await age(owner)
    before = await stored(owner)
    killed = await asyncio.create_subprocess_exec(sys.executable, str(KILLED), str(key), env=dict(os.environ))
    assert await killed.wait() == -signal.SIGKILL
    assert crm.emulator.grants[0].refresh_token != before, "amoCRM has answered"
    assert await stored(owner) == before, "and we have not kept it"
    clock.travel(clock.now() + timedelta(minutes=2))
    assert await amocrm.refresh(key, force=False)
    await works(crm, owner)


async def test_what_amocrm_refuses_is_flagged_and_told(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    key = await age(owner)
    crm.emulator.grants[0].revoked = True
    assert not await amocrm.refresh(key, force=False)
    assert "revoked" in await owner.fetchval("SELECT invalid_because FROM oauth_tokens")
    assert await owner.fetchval("SELECT count(*) FROM product_events WHERE type = 'install.authorization_lost'") == 1
    assert await ask() == 0
    await crm.install()
    assert await owner.fetchval("SELECT invalid_because FROM oauth_tokens WHERE active") is None


async def test_a_pair_of_a_new_installation_is_never_overwritten(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    key = await age(owner)
    begun = asyncio.create_task(amocrm.refresh(key, force=False))
    await crm.install()
    await asyncio.gather(begun, return_exceptions=True)
    assert await owner.fetchval("SELECT count(*) FROM oauth_tokens WHERE active") == 1
    assert await stored(owner) == crm.emulator.grants[1].refresh_token


async def test_people_force_one_or_all(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    await crm.install("other.kommo.com")
    install = await owner.fetchval("SELECT min(id) FROM installs")
    asked = {"installId": encode_id("Install", install)}
    crm.emulator.grants[0].revoked = True
    assert (await payload(REFRESH, input=asked))["userErrors"] == []
    await run_messages(owner, "oauth_token.refresh")
    flagged = await payload(
        "query($id: ID!) { install(id: $id) { oauthTokens { nodes { invalidBecause } } } }", id=asked["installId"]
    )
    assert "revoked" in flagged["oauthTokens"]["nodes"][0]["invalidBecause"]
    # The secret may have been wrong then: asked by a person, a flagged pair is tried again.
    crm.emulator.grants[0].revoked = False
    lost = "query { oauthTokens(filter: {authorizationLost: true}) { totalCount nodes { install { databaseId } } } }"
    assert (await payload(lost))["nodes"] == [{"install": {"databaseId": str(install)}}]
    assert (await payload(REFRESH_ALL, input={}))["asked"] == 2
    assert (await payload(lost))["totalCount"] == 0
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'oauth_token.refresh_all'") == 1
    assert await run_messages(owner, "oauth_token.refresh") == 2
    assert (
        await owner.fetchval(
            "SELECT count(*) FROM oauth_tokens WHERE invalid_because IS NULL AND refreshed_at IS NOT NULL"
        )
        == 2
    )
    unknown = await payload(REFRESH, input={"installId": encode_id("Install", 999)})
    assert unknown["userErrors"] == [{"code": "NOT_FOUND", "field": ["input", "installId"]}]


async def test_the_command_line_forces_too(crm: Crm, owner: asyncpg.Connection, database_url: str) -> None:
    await crm.install()

    def kontora(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "cli.main", "tokens", "refresh", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    told = await asyncio.to_thread(kontora, "--all")
    assert (told.returncode, told.stdout) == (0, "1 refresh is on the way.\n")
    assert (await asyncio.to_thread(kontora)).returncode != 0
    missing = await asyncio.to_thread(kontora, "--install", "999")
    assert missing.returncode == 1
    assert "not found" in missing.stderr


async def test_the_limit_of_seven_calls_a_second_is_kept(crm: Crm) -> None:
    await crm.install()
    crm.emulator.limited = True
    crm.emulator.calls.clear()
    await asyncio.sleep(1.1)
    integration = Integration(crm.client_uuid, SECRET, f"{BASE}/amocrm/oauth")
    await asyncio.gather(*(AmoCrm(DOMAIN, integration).account(crm.emulator.grants[0].access_token) for _ in range(12)))
    assert len(crm.emulator.calls) == 12


@pytest.mark.parametrize("status", [402, 403, 404, 408, 500, 503])
async def test_what_is_no_refusal_flags_nothing(crm: Crm, owner: asyncpg.Connection, status: int) -> None:
    """A block for too many calls (403), above all, must not cost us every account."""
    await crm.install()
    key = await age(owner)
    crm.emulator.next_statuses = [status]
    with pytest.raises(AmoCrmUnanswered, match=str(status)):
        await amocrm.refresh(key, force=False)
    assert await owner.fetchval("SELECT invalid_because FROM oauth_tokens WHERE active") is None
    assert await amocrm.refresh(key, force=False)


async def test_a_call_that_came_too_soon_is_sent_again(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    key = await age(owner)
    crm.emulator.next_statuses = [429]
    assert await amocrm.refresh(key, force=False)


async def test_where_the_old_token_is_dead_the_loss_is_told(crm: Crm, owner: asyncpg.Connection) -> None:
    """Should amoCRM not keep what its docs promise, a person hears of it while the access token still works."""
    await crm.install()
    key = await age(owner)
    crm.emulator.spares_work = False
    crm.emulator.lost_answers = 1
    with pytest.raises(AmoCrmUnanswered):
        await amocrm.refresh(key, force=False)
    clock.travel(clock.now() + timedelta(minutes=2))
    assert not await amocrm.refresh(key, force=False)
    row = await owner.fetchrow("SELECT invalid_because, expires_at > now() AS works FROM oauth_tokens WHERE active")
    assert row is not None
    assert row["invalid_because"]
    assert row["works"]
    assert await owner.fetchval("SELECT count(*) FROM product_events WHERE type = 'install.authorization_lost'") == 1


async def test_all_of_very_many_are_asked_for_in_one_statement(crm: Crm, owner: asyncpg.Connection) -> None:
    """More than PostgreSQL has room for locks of: messages are written without one each."""
    await crm.install()
    await owner.execute("INSERT INTO partners (name) SELECT 'P' || n FROM generate_series(1, 20000) n")
    await owner.execute(
        "INSERT INTO installs (partner_id, product_id, status) SELECT id, $1, 'ACTIVATED' FROM partners WHERE name LIKE 'P%'",
        crm.product,
    )
    await owner.execute(
        "INSERT INTO oauth_tokens (partner_id, install_id, access_token_encrypted, refresh_token_encrypted, expires_at) "
        "SELECT partner_id, id, '', '', now() FROM installs WHERE status = 'ACTIVATED'"
    )
    assert await ask() == 100
    assert (await payload(REFRESH_ALL, input={}))["asked"] == 20_001 - 100
    assert (
        await owner.fetchval(
            "SELECT count(DISTINCT ordering_key) FROM outbox_messages WHERE kind = $1", "oauth_token.refresh"
        )
        == 20_001
    )
    assert await ask() == 0


async def test_an_account_that_has_moved_is_followed(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    key = await age(owner)
    crm.emulator.move(DOMAIN, "moved.kommo.com")
    crm.emulator.calls.clear()
    assert await amocrm.refresh(key, force=False)
    assert crm.emulator.calls == ["access_token", "subdomain", "access_token"]
    assert await owner.fetchval("SELECT amocrm_domain FROM partners") == "moved.kommo.com"
    assert await stored(owner) == crm.emulator.grants[0].refresh_token


async def test_only_its_own_account_is_followed_and_only_to_amocrm(crm: Crm, owner: asyncpg.Connection) -> None:
    await crm.install()
    key = await age(owner)
    for domain, number in (("evil.example", None), ("moved.kommo.com", 5)):
        crm.emulator.move(crm.emulator.grants[0].domain, domain)
        if number is not None:
            crm.emulator.accounts[domain].id = number
        with pytest.raises(AmoCrmUnanswered):
            await amocrm.refresh(key, force=False)
        assert await owner.fetchval("SELECT amocrm_domain FROM partners") == DOMAIN
        assert await owner.fetchval("SELECT invalid_because FROM oauth_tokens") is None
