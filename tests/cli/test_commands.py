"""The other commands: what they say when all is well, and what they say plainly when not."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import asyncpg
import pytest


async def kontora(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end; it must never show a traceback."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-P", "-m", "cli.main", *arguments],
        env=os.environ | {f"KONTORA_{name.upper()}": value for name, value in settings.items()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


async def test_migrate_finds_nothing_to_do_in_an_up_to_date_database(database_url: str) -> None:
    done = await kontora("migrate", "--check", database_url=database_url)
    assert (done.returncode, done.stderr) == (0, "")


async def test_the_ledger_of_a_new_house_holds(database_url: str) -> None:
    done = await kontora("verify", "ledger", database_url=database_url)
    assert (done.returncode, done.stdout) == (0, "The ledger holds.\n")


async def test_a_ledger_that_does_not_hold_fails(database_url: str, owner: asyncpg.Connection) -> None:
    assert (await kontora("seed-demo", database_url=database_url)).returncode == 0
    wallet = await owner.fetchval("UPDATE wallets SET balance = balance + 1 WHERE id = 1 RETURNING id")
    done = await kontora("verify", "ledger", database_url=database_url)
    assert done.returncode == 1
    assert f"wallet {wallet} differs from its journal" in done.stderr


async def test_a_superadmin_is_made_once(database_url: str, owner: asyncpg.Connection) -> None:
    settings = {"database_url": database_url, "superadmin_password": "correct horse battery"}
    assert (await kontora("create-superadmin", "ada@kontora.test", **settings)).returncode == 0
    again = await kontora("create-superadmin", "ada@kontora.test", **settings)
    assert again.returncode == 1
    assert "ada@kontora.test" in again.stderr
    assert await owner.fetchval("SELECT count(*) FROM users WHERE email = 'ada@kontora.test'") == 1


async def test_a_database_that_is_not_there_is_said_plainly(database_url: str) -> None:
    elsewhere = database_url.replace("kontora_test", "no_such_database")
    done = await kontora("migrate", database_url=elsewhere)
    assert done.returncode == 1
    assert "PostgreSQL refuses" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("port", "eighty", "KONTORA_PORT: Input should be a valid integer"),
        ("port", "80000", "KONTORA_PORT: Input should be less than or equal to 65535"),
        ("mode", "production", "production mode needs KONTORA_SECRET_KEYS"),
    ],
)
async def test_wrong_settings_are_said_plainly(name: str, value: str, message: str) -> None:
    done = await kontora("serve", **{name: value})
    assert done.returncode == 1
    assert message in done.stderr
