"""Charges and holds that are refused for other reasons than coins, and in which order wallets are locked (WAL-4)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest

from core import clock
from core.database import transaction
from core.principal import SYSTEM
from domain.wallets import AccountKind, WalletTransactionKind
from ledger.post import Movement, open_wallet, post
from services import wallets
from tests.factories.world import a_partner, an_install
from tests.wallets.conftest import Backend


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE partners SET status = 'BLOCKED', status_reason = 'x'", "PARTNER_NOT_ALLOWED"),
        ("UPDATE partners SET status = 'SUSPENDED', status_reason = 'x'", None),
        ("UPDATE installs SET status = 'DISABLED', disabled_at = now()", "INSTALL_DISABLED"),
    ],
)
async def test_what_was_allowed_before_is_told_and_nothing_new_is_taken(
    backend: Backend, owner: asyncpg.Connection, change: str, code: str | None
) -> None:
    charged = await backend.charge("1", "call")
    held = await backend.hold("2", "job")
    await owner.execute(change)
    assert (await backend.charge("1", "call")).json() == {**charged.json(), "repeated": True}
    assert (await backend.hold("2", "job")).json() == held.json()
    for answer in (await backend.charge("1", "new"), await backend.hold("1", "new")):
        if code is None:
            assert answer.status_code == 201
        else:
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, code)
            assert answer.json()["error"]["field"] == "installId"
    captured = await backend.post(f"holds/{held.json()['holdId']}/capture", {})
    assert captured.status_code == 200, "what was set aside before may be spent"
    assert await backend.balance() == Decimal(997 if code else 995)


async def test_long_keys_that_begin_alike_are_kept_apart(backend: Backend, owner: asyncpg.Connection) -> None:
    for last in "ab":
        refused = await backend.charge("5000", "k" * 199 + last)
        assert (refused.status_code, refused.json()["error"]["recorded"]) == (402, True)
    assert await owner.fetchval("SELECT count(*) FROM outbox_messages WHERE kind = 'usage.charge'") == 2


async def test_holds_end_in_the_order_in_which_batches_lock(backend: Backend, owner: asyncpg.Connection) -> None:
    partners = [(await a_partner()).id for _ in range(2)]
    early, late = [(await an_install(partner, backend.product)).id for partner in partners]
    opened = {}
    for partner, install in zip(reversed(partners), (late, early), strict=True):
        async with transaction() as session:
            wallet = await open_wallet(session, partner_id=partner, install_id=install)
            await post(
                session, SYSTEM, wallet.id, Movement(WalletTransactionKind.BONUS, Decimal(9), AccountKind.BONUS, "x")
            )
            opened[install] = wallet.id
        hold = {"installId": install, "amount": "1", "description": "x", "expiresInSeconds": 1}
        assert (await backend.post("holds", hold, f"job {install}")).status_code == 201
    clock.travel(clock.now() + timedelta(minutes=1))

    async def expire() -> int:
        async with transaction() as session:
            return await wallets.expire_holds(session, 10)

    async with owner.transaction():
        # A batch of charges has the wallet of the earlier install, and goes on to the later one.
        await owner.execute("SELECT FROM wallets WHERE id = $1 FOR UPDATE", opened[early])
        ending = asyncio.create_task(expire())
        async with asyncio.timeout(30):
            while not await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 - another connection waits
                await asyncio.sleep(0.01)
        await owner.execute("SELECT FROM wallets WHERE id = $1 FOR UPDATE NOWAIT", opened[late])
    assert await ending == 2
