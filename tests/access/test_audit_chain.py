"""The audit trail's chain: nothing is missed, whatever the order of commits, and nothing is changed unnoticed (ACC-6)."""

from __future__ import annotations

import asyncio
import random
import re
from datetime import UTC, date, datetime

import asyncpg
import pytest
from dateutil.relativedelta import relativedelta

from core import crypto
from core.database import APP_ROLE, transaction
from core.principal import SYSTEM
from core.settings import get_settings
from migrations.run import upgrade
from models import AuditSegment
from services import audit_chain, audit_months
from services.audit_verify import BadAnchor, Trail, verify_audit
from services.outbox import PermanentFailure
from tests.cli.test_commands import kontora
from tests.factories.world import a_partner
from workers.audit import keep_audit_months, seal_audit
from workers.outbox import Message
from workers.proofs import check_audit

Connection = asyncpg.Connection
INSERT = "INSERT INTO audit_events (actor, action, entity_type, entity_id) VALUES ('system', $1, 'X', 1) RETURNING id"
MESSAGE = Message(1, "audit.verify", {}, None, None, None, 1)


async def _seal(events: int = audit_chain.SEGMENT_EVENTS) -> AuditSegment | None:
    async with transaction(SYSTEM) as session:
        return await audit_chain.seal(session, events)


async def _seal_all(events: int = audit_chain.SEGMENT_EVENTS) -> None:
    while await _seal(events) is not None:
        pass


async def _verify(*anchors: str) -> Trail:
    async with transaction(SYSTEM) as session:
        return await verify_audit(session, anchors)


@pytest.fixture
async def sealed(owner: Connection) -> Connection:
    """Nine events in three segments, and a connection that no trigger stops, as an intruder's."""
    for segment in range(3):
        for number in range(3):
            await owner.execute(INSERT, f"test.{segment}{number}")
        await _seal()
    await owner.execute("SET session_replication_role = replica")
    assert (await _verify()).violations == []
    return owner


async def test_what_commits_late_belongs_to_a_later_segment(database_url: str, owner: Connection) -> None:
    late = await asyncpg.connect(database_url)
    slow = late.transaction()
    await slow.start()
    early_id = await late.fetchval(INSERT, "late")
    later_id = await owner.fetchval(INSERT, "early")
    assert early_id < later_id
    assert await _seal() is None
    await slow.commit()
    segment = await _seal()
    assert segment is not None
    assert segment.event_ids == [early_id, later_id]
    # Begun before the seal, written and committed after it, with an id taken before all.
    await late.execute("BEGIN")
    taken = await late.fetchval("SELECT nextval(pg_get_serial_sequence('audit_events', 'id'))")
    assert (await owner.fetchval(INSERT, "between")) > taken
    assert await _seal() is not None
    await late.execute(INSERT.replace("(actor", "(id, actor").replace("('system'", f"({taken}, 'system'"), "taken")
    await late.execute("COMMIT")
    await late.close()
    await _seal()
    trail = await _verify()
    assert (trail.violations, trail.sealed, trail.unsealed) == ([], 4, 0)


async def test_writers_and_sealers_at_once_miss_nothing(database_url: str, owner: Connection) -> None:
    chance = random.Random(7)
    writing = True

    async def write() -> None:
        connection = await asyncpg.connect(database_url)
        for number in range(25):
            work = connection.transaction()
            await work.start()
            for _ in range(chance.randint(1, 4)):
                await connection.execute(INSERT, f"write.{number}")
                await asyncio.sleep(chance.random() / 500)
            await (work.rollback() if chance.random() < 0.2 else work.commit())
        await connection.close()

    async def seal() -> None:
        while writing:
            await _seal(10)
            await asyncio.sleep(0)

    sealers = [asyncio.create_task(seal()) for _ in range(2)]
    await asyncio.gather(*(write() for _ in range(6)))
    writing = False
    await asyncio.gather(*sealers)
    await _seal_all(10)
    trail = await _verify()
    assert trail.violations == []
    assert (trail.sealed, trail.unsealed) == (await owner.fetchval("SELECT count(*) FROM audit_events"), 0)
    assert trail.segments > 10


@pytest.mark.parametrize(
    ("crime", "told"),
    [
        ("UPDATE audit_events SET after = '{}' WHERE action = 'test.11'", "audit event 5 of segment 2 was changed"),
        ("UPDATE audit_events SET actor_user_id = 7 WHERE id = 1", "audit event 1 of segment 1 was changed"),
        (
            "UPDATE audit_events SET created_at = created_at + interval '1 s' WHERE id = 9",
            "audit event 9 of segment 3 was changed",
        ),
        ("DELETE FROM audit_events WHERE id = 4", "audit event 4 of segment 2 was removed"),
        ("DELETE FROM audit_events WHERE id = 9", "audit event 9 of segment 3 was removed"),
        (
            "INSERT INTO audit_events (actor, action, entity_type, entity_id, transaction_number) "
            "SELECT actor, action, entity_type, 2, transaction_number FROM audit_events WHERE id = 3",
            "audit event 10 of segment 1 was inserted",
        ),
        (
            "UPDATE audit_events SET transaction_number = (SELECT max(transaction_number) + 1000 FROM audit_events) "
            "WHERE id = 2",
            "audit event 2 of segment 1 was removed",
        ),
        ("DELETE FROM audit_segments WHERE number = 2", "segments 2 to 2 are missing"),
        ("DELETE FROM audit_segments WHERE number = 1", "segments 1 to 1 are missing"),
        ("UPDATE audit_segments SET to_transaction = to_transaction + 1 WHERE number = 3", "segment 3 was changed"),
        ("UPDATE audit_segments SET hash = sha256(hash) WHERE number = 1", "segment 1 was changed"),
        (
            "UPDATE audit_segments SET previous_hash = sha256('x') WHERE number = 2",
            "segment 2 does not follow segment 1",
        ),
        (
            "UPDATE audit_segments SET expired_month = '2020-01-01', event_digests = '' WHERE number = 1",
            "segment 1 was changed",
        ),
    ],
)
async def test_what_an_intruder_does_is_named(sealed: Connection, crime: str, told: str) -> None:
    await sealed.execute(crime)
    assert told == (await _verify()).violations[0]


async def test_a_chain_made_anew_without_the_key_is_seen(sealed: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    await sealed.execute("UPDATE audit_events SET actor = 'user:1' WHERE id = 5; DELETE FROM audit_segments")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(audit_chain, "key", lambda _: b"what the intruder guesses")
        await _seal()
    assert (await _verify()).violations[0] == "segment 1 was changed"


async def test_a_tail_that_was_cut_off_differs_from_its_anchor(sealed: Connection) -> None:
    anchor = (await _verify()).anchor
    assert anchor is not None
    await sealed.execute("DELETE FROM audit_segments WHERE number = 3; DELETE FROM audit_events WHERE id > 6")
    assert (await _verify()).violations == []
    assert (await _verify(anchor)).violations == ["segment 3 is missing: the trail was cut off behind segment 2"]
    await sealed.execute(INSERT, "another")
    await _seal()
    assert (await _verify(anchor)).violations == ["segment 3 is not the one of its anchor"]
    with pytest.raises(BadAnchor):
        await _verify("three")


async def test_keys_may_be_rotated_and_must_be_kept(sealed: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    old = get_settings().encryption_keys()["sandbox"].decode()
    monkeypatch.setenv("KONTORA_SECRET_KEYS", f"new:{'n' * 32},sandbox:{old}")
    get_settings.cache_clear()
    await sealed.execute(INSERT, "after")
    await _seal()
    assert (await _verify()).violations == []
    assert crypto.newest_key_id() == "new"
    monkeypatch.setenv("KONTORA_SECRET_KEYS", f"new:{'n' * 32}")
    get_settings.cache_clear()
    assert (await _verify()).violations[0] == "segment 1: no encryption key with the id 'sandbox' is configured"


async def test_the_command_and_the_job_tell(sealed: Connection, database_url: str) -> None:
    good = await kontora("verify", "audit", database_url=database_url)
    assert good.returncode == 0
    assert re.fullmatch(
        r"The audit trail holds: 9 events in 3 segments, 0 not yet sealed. Anchor: 3:\w{64}\n", good.stdout
    )
    await sealed.execute("DELETE FROM audit_events WHERE id = 4")
    bad = await kontora("verify", "audit", database_url=database_url)
    assert (bad.returncode, bad.stderr) == (1, "audit event 4 of segment 2 was removed\n")
    with pytest.raises(PermanentFailure, match="audit event 4"):
        await check_audit(MESSAGE)


async def test_changes_are_sealed_by_the_job_and_events_of_old_grow_stale(owner: Connection) -> None:
    await a_partner()
    await seal_audit(MESSAGE)
    trail = await _verify()
    assert (trail.sealed > 0, trail.unsealed) == (True, 0)
    await owner.execute(
        INSERT.replace("(actor", "(created_at, actor").replace("('sy", "(now() - '7 h'::interval, 'sy"), "x"
    )
    assert "are not sealed" in (await _verify()).violations[0]


@pytest.fixture
async def old_months(owner: Connection) -> list[date]:
    """Three months of events, the youngest one too young to be let go."""
    this = datetime.now(UTC).date().replace(day=1)
    months = [this - relativedelta(months=count) for count in (30, 26, 11)]
    for month in months:
        name = f"audit_events_{month:%Y_%m}"
        await owner.execute(
            f"CREATE TABLE {name} PARTITION OF audit_events "
            f"FOR VALUES FROM ('{month}+00') TO ('{month + relativedelta(months=1)}+00')"
        )
        await owner.execute(
            f"INSERT INTO audit_events (actor, action, entity_type, entity_id, created_at) "
            f"SELECT 'system', 'old', 'X', n, '{month}+00'::timestamptz FROM generate_series(1, 3) n"
        )
    return months


async def test_old_months_go_and_the_rest_still_verifies(owner: Connection, old_months: list[date]) -> None:
    oldest, old, young = old_months
    with pytest.raises(Exception, match="not all events"):
        async with transaction(SYSTEM) as session:
            await audit_months.append(
                session, None, from_transaction=-9, to_transaction=-8, events=0, event_ids=(), event_digests=b""
            )
            await audit_months.expire_month(session)
    await _seal_all(4)
    await keep_audit_months(MESSAGE)
    await _seal_all()
    kept = await owner.fetch("SELECT DISTINCT date_trunc('month', created_at) FROM audit_events WHERE action = 'old'")
    assert [row[0].date() for row in kept] == [young]
    assert await owner.fetchval("SELECT to_regclass($1) IS NULL", f"audit_events_{oldest:%Y_%m}")
    told = await owner.fetch(
        "SELECT before->>'month' FROM audit_events WHERE action = 'audit_trail.expire_month' ORDER BY id"
    )
    assert [row[0] for row in told] == [str(oldest), str(old)]
    trail = await _verify()
    assert (trail.violations, trail.sealed) == ([], 11)
    await owner.execute("SET session_replication_role = replica; DELETE FROM audit_events WHERE action = 'old'")
    assert (await _verify()).violations[0] == "audit event 7 of segment 3 was removed"


async def test_the_application_lets_go_of_nothing_young(owner: Connection, old_months: list[date]) -> None:
    await _seal_all()
    young = old_months[-1]
    await owner.execute(f"SET ROLE {APP_ROLE}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="younger than 365 days"):
        await owner.execute("SELECT audit_expire_month($1, false)", young)
    for statement in (
        "DROP TABLE {0}",
        "DELETE FROM {0}",
        "SELECT FROM {0}",
        "ALTER TABLE audit_events DETACH PARTITION {0}",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(statement.format(f"audit_events_{young:%Y_%m}"))


async def test_a_month_may_be_kept_as_a_table(
    owner: Connection, old_months: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KONTORA_AUDIT_KEEP_EXPIRED_MONTHS", "true")
    get_settings.cache_clear()
    await _seal_all()
    await keep_audit_months(MESSAGE)
    assert await owner.fetchval(f"SELECT count(*) FROM audit_events_{old_months[0]:%Y_%m}") == 3
    assert (await _verify()).violations == []


async def test_a_dump_restored_into_a_younger_server_goes_on(owner: Connection, database_url: str) -> None:
    offset = "CREATE OR REPLACE FUNCTION audit_transaction_offset() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT {}::bigint'"
    await owner.execute(offset.format(10**9))
    await owner.execute(INSERT, "sealed there")
    await _seal_all()
    await owner.execute(INSERT, "not sealed there")
    await owner.execute(offset.format(0))
    with pytest.raises(audit_chain.ChainOutOfStep):
        await _seal()
    await upgrade(database_url)
    await owner.execute(INSERT, "here")
    await _seal_all()
    trail = await _verify()
    assert trail.violations == []
    assert (trail.sealed, trail.unsealed) == (3, 0)
