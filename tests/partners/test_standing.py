"""Each cell of the table of standings: what a partner may still do (PAR-1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import asyncpg
import pytest

from core.crypto import hash_password
from core.database import transaction
from core.errors import Unauthenticated
from domain.catalog import Term
from domain.partners import MEANINGS, PartnerMay, PartnerStatus, allows
from models import Install, Partner
from services import billing, events, installs
from services.access import principals, sign_in
from services.access.sessions import SignedIn
from services.amocrm.widget import _permitted
from services.install_state import install_state
from services.partner_standing import PartnerNotAllowed, move
from tests.billing.conftest import World, staff, world
from tests.billing.renewing import END, night, subscribe
from tests.factories.world import STAFF, a_product

__all__ = ["staff", "world"]
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "partners.md"
PASSWORD = "correct horse battery"


def test_the_guide_shows_the_table() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert set(MEANINGS) == set(PartnerMay)
    for what, meaning in MEANINGS.items():
        marks = " | ".join("✓" if allows(status, what) else "✗" for status in PartnerStatus)
        assert f"| {meaning} | {marks} |" in text


async def stand(owner: asyncpg.Connection, world: World, status: PartnerStatus) -> None:
    told = None if status == PartnerStatus.ACTIVE else "x"
    await owner.execute(
        "UPDATE partners SET status = $2, status_reason = $3 WHERE id = $1", world.partner, status, told
    )


async def signs_in(owner: asyncpg.Connection, world: World, status: PartnerStatus) -> bool:
    await owner.execute(
        "INSERT INTO users (kind, partner_id, email, full_name, password_hash) VALUES ('PARTNER', $1, 'a@x.test', 'A', $2)",
        world.partner,
        await hash_password(PASSWORD),
    )
    async with transaction() as session:
        before = await sign_in(session, email="a@x.test", password=PASSWORD)
    assert isinstance(before, SignedIn)
    await stand(owner, world, status)
    async with transaction() as session:
        after = await sign_in(session, email="a@x.test", password=PASSWORD)
    try:
        await principals.principal_of_access_token(before.access_token)
    except Unauthenticated:
        assert not isinstance(after, SignedIn)
        return False
    assert isinstance(after, SignedIn)
    return True


async def uses(owner: asyncpg.Connection, world: World, status: PartnerStatus) -> bool:
    await subscribe(owner, world, STAFF)
    await owner.execute("UPDATE installs SET status = 'ACTIVATED', activated_at = now()")
    await stand(owner, world, status)
    async with transaction() as session:
        active = (await install_state(session, world.install)).active
    assert ("subscription:read" in _permitted(status, is_admin=True)) == active
    return active


async def is_installed(owner: asyncpg.Connection, world: World, status: PartnerStatus) -> bool:
    product = await a_product()
    await stand(owner, world, status)
    verbs: list[Callable[..., Awaitable[object]]] = [
        lambda session: installs.activate(session, STAFF, install_id=world.install),
        lambda session: installs.create(session, STAFF, partner_id=world.partner, product_id=product.product.id),
    ]
    done = []
    for verb in verbs:
        try:
            async with transaction() as session:
                await verb(session)
            done.append(True)
        except PartnerNotAllowed:
            done.append(False)
    assert len(set(done)) == 1
    return done[0]


async def buys(owner: asyncpg.Connection, world: World, status: PartnerStatus) -> bool:
    await stand(owner, world, status)
    try:
        async with transaction() as session:
            await billing.create_subscription(
                session, STAFF, install_id=world.install, plan_id=world.plan, term=Term.MONTH, seats=3
            )
    except PartnerNotAllowed:
        return False
    return True


async def renews(owner: asyncpg.Connection, world: World, status: PartnerStatus) -> bool:
    await subscribe(owner, world, STAFF)
    await stand(owner, world, status)
    await night(owner, END - timedelta(days=1))
    billed = await owner.fetchval("SELECT count(*) FROM invoices WHERE kind = 'RENEWAL'")
    await stand(owner, world, PartnerStatus.ACTIVE)
    await night(owner, END - timedelta(hours=12))
    await stand(owner, world, status)
    await night(owner, END + timedelta(minutes=1))
    charged = await owner.fetchval("SELECT count(*) FROM payments WHERE method = 'RECURRING'")
    assert billed == charged
    await stand(owner, world, PartnerStatus.ACTIVE)
    await night(owner, END + timedelta(minutes=2))
    assert await owner.fetchval("SELECT count(*) FROM payments WHERE status = 'CONFIRMED'") == 2, "it goes on"
    return bool(billed)


async def test_nobody_is_billed_later_for_time_without_access(owner: asyncpg.Connection, world: World) -> None:
    await subscribe(owner, world, STAFF)
    await stand(owner, world, PartnerStatus.SUSPENDED)
    held = []
    for days in (-1, 0, 2, 4):
        await night(owner, END + timedelta(days=days, minutes=1))
        held.append(await owner.fetchval("SELECT status FROM subscriptions"))
    assert held == ["ACTIVE", "PAST_DUE", "PAST_DUE", "EXPIRED"]
    await stand(owner, world, PartnerStatus.ACTIVE)
    await night(owner, END + timedelta(days=90))
    assert await owner.fetchval("SELECT count(*) FROM invoices WHERE kind = 'RENEWAL'") == 0


async def test_back_within_the_days_of_grace_it_is_billed_and_goes_on(owner: asyncpg.Connection, world: World) -> None:
    await subscribe(owner, world, STAFF)
    await stand(owner, world, PartnerStatus.SUSPENDED)
    await night(owner, END + timedelta(minutes=1))
    await stand(owner, world, PartnerStatus.ACTIVE)
    await night(owner, END + timedelta(days=2))
    found = await owner.fetchrow("SELECT status, ends_at::date::text FROM subscriptions")
    assert found is not None
    assert tuple(found) == ("ACTIVE", "2027-03-31")


async def pays(owner: asyncpg.Connection, world: World, status: PartnerStatus) -> bool:
    async with transaction() as session:
        invoice, _ = await billing.create_subscription(
            session, STAFF, install_id=world.install, plan_id=world.plan, term=Term.MONTH, seats=3
        )
    await stand(owner, world, status)
    async with transaction() as session:
        await billing.mark_paid(session, STAFF, invoice_id=invoice.id, note="paid")
    return bool(await owner.fetchval("SELECT status = 'PAID' FROM invoices WHERE id = $1", invoice.id))


async def hears(owner: asyncpg.Connection, world: World, status: PartnerStatus) -> bool:
    await stand(owner, world, status)
    async with transaction() as session:
        install = await session.get_one(Install, world.install)
        await events.emit(session, install, "install.activated", {})
    return bool(await owner.fetchval("SELECT status = 'PENDING' FROM product_events ORDER BY id DESC LIMIT 1"))


TRIALS = MappingProxyType(
    {
        PartnerMay.SIGN_IN: signs_in,
        PartnerMay.USE: uses,
        PartnerMay.INSTALL: is_installed,
        PartnerMay.BUY: buys,
        PartnerMay.RENEW: renews,
        PartnerMay.PAY: pays,
        PartnerMay.HEAR: hears,
    }
)


@pytest.mark.parametrize("status", list(PartnerStatus))
@pytest.mark.parametrize("what", list(PartnerMay))
async def test_each_cell_holds(
    owner: asyncpg.Connection, world: World, what: PartnerMay, status: PartnerStatus
) -> None:
    assert await TRIALS[what](owner, world, status) == allows(status, what)


async def test_products_are_told_once_when_licences_change(owner: asyncpg.Connection, world: World) -> None:
    await owner.execute("UPDATE installs SET status = 'ACTIVATED', activated_at = now()")
    told = []
    for status in ("SUSPENDED", "BLOCKED", "BLOCKED", "ARCHIVED", "ACTIVE"):
        async with transaction() as session:
            partner = await session.get_one(Partner, world.partner)
            await move(session, STAFF, partner, status=PartnerStatus(status), reason="x", version=None)
        told.append(await owner.fetchval("SELECT count(*) FROM product_events"))
    assert told == [0, 1, 1, 1, 2]
    assert [row["type"] for row in await owner.fetch("SELECT type FROM product_events ORDER BY id")] == [
        "partner.blocked",
        "partner.restored",
    ]
