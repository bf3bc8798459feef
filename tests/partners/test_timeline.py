"""The timeline of a partner: one feed of many kinds, paged by keyset, held to what the caller may see (PAR-4)."""

from __future__ import annotations

import re
from typing import Any

import asyncpg
import pytest

from core.ids import encode_id
from core.principal import ALL_ROWS, Principal
from domain.partners import TimelineKind
from planner.binding import BINDING_KEY
from policies.permissions import ALL
from policies.roles import ROLES
from schema.timeline import TIMELINE_TYPES
from tests.api import payload, run
from tests.factories.world import STAFF
from tests.planner.world import build

PARTNER = encode_id("Partner", 1)
KINDS = """query($id: ID!, $first: Int, $after: String, $last: Int, $before: String, $filter: TimelineEntryFilter) {
    partnerTimeline(partnerId: $id, first: $first, after: $after, last: $last, before: $before, filter: $filter) {
        totalCount nodes { kind } edges { cursor node { id happenedAt } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
WHOLE = """query($id: ID!) { partnerTimeline(partnerId: $id, first: 100) { nodes { __typename id kind actor { id }
    ... on TimelineNote { note { body } } ... on TimelineStatusChange { statusChange { toStatus } }
    ... on TimelineContract { contract { number documents { totalCount } } } ... on TimelineDocument { document { title } }
    ... on TimelineInvoice { invoice { number payments(first: 1) { nodes { status } } } }
    ... on TimelinePayment { payment { amount { amount } } } ... on TimelineRefund { refund { reason } }
    ... on TimelineSubscriptionChange { subscriptionChange { action } } ... on TimelineEvent { event { type } }
    ... on TimelineOnboarding { onboardingChange { action step { key } onboarding { progressPercent } } }
    ... on TimelineSignIn { session { kind } } } } }"""


@pytest.fixture
async def world(owner: asyncpg.Connection) -> asyncpg.Connection:
    """Two partners to whom every kind of thing happened, many at one moment."""
    await build(owner)
    await owner.execute(
        "INSERT INTO product_events (event_id, partner_id, product_id, install_id, sequence, type, payload, created_at) "
        "SELECT 'evt_' || id, partner_id, product_id, id, 1, 'install.activated', '{}', '2026-02-05 10:00Z' FROM installs"
    )
    await owner.execute(
        """
        INSERT INTO onboardings (partner_id, product_id, install_id, moved_at)
            SELECT partner_id, product_id, id, now() FROM installs;
        INSERT INTO onboarding_steps (product_id, key, title_ru, title_en, position)
            SELECT min(product_id), 'pay', 'x', 'Pay', 1 FROM installs;
        INSERT INTO onboarding_changes (partner_id, onboarding_id, action, step_id, actor, actor_user_id, created_at)
            SELECT partner_id, o.id, action, CASE action WHEN 'DONE' THEN s.id END, 'user:1', 1, '2026-02-05 10:00Z'
            FROM onboardings o, onboarding_steps s, unnest('{started,DONE,help_asked,help_given}'::text[]) action;
        """
    )
    return owner


def tenant(partner: int, permissions: frozenset[str] = ROLES["PARTNER_OWNER"][1]) -> Principal:
    return Principal(kind="partner", permissions=permissions, partner_id=partner)


async def feed(principal: Principal = STAFF, **asked: Any) -> list[str]:
    """The ids of the whole feed, read in pages of three."""
    seen: list[str] = []
    after = None
    while True:
        page = await payload(KINDS, principal, id=PARTNER, first=3, after=after, **asked)
        seen += [edge["node"]["id"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(seen)
            return seen


async def test_each_kind_has_its_own_object(world: asyncpg.Connection) -> None:
    nodes = (await payload(WHOLE, id=PARTNER))["nodes"]
    assert {node["kind"] for node in nodes} == {kind.value for kind in TimelineKind}
    assert {node["__typename"] for node in nodes} == {type_.__name__ for type_ in TIMELINE_TYPES}
    of = {node["kind"]: node for node in nodes}
    assert of["CALL"]["note"] == {"body": "A call"}
    assert of["CALL"]["actor"] == {"id": encode_id("User", 1)}
    assert of["STATUS_CHANGE"]["statusChange"] == {"toStatus": "SUSPENDED"}
    assert of["CONTRACT"]["contract"] == {"number": "C-1", "documents": {"totalCount": 2}}
    assert of["INVOICE"]["invoice"]["number"].startswith("K-")
    assert (of["EVENT"]["event"], of["EVENT"]["actor"]) == ({"type": "install.activated"}, None)
    done = next(node for node in nodes if (node.get("onboardingChange") or {}).get("step"))
    assert (done["kind"], done["onboardingChange"]["step"], done["actor"]) == (
        "ONBOARDING",
        {"key": "pay"},
        of["CALL"]["actor"],
    )
    asked = await payload(KINDS, id=PARTNER, filter={"kind": ["HELP"]})
    assert asked["totalCount"] == len([node for node in nodes if node["kind"] == "HELP"]) > 0
    assert of["SIGN_IN"]["session"] == {"kind": "TOKEN"}
    again = await payload(
        "query($id: ID!) { node(id: $id) { __typename ... on TimelineNote { note { body } } } }", id=of["CALL"]["id"]
    )
    assert again == {"__typename": "TimelineNote", "note": {"body": "A call"}}


async def test_pages_meet_from_both_ends(world: asyncpg.Connection) -> None:
    whole = await payload(KINDS, id=PARTNER, first=100)
    ids = [edge["node"]["id"] for edge in whole["edges"]]
    moments = [edge["node"]["happenedAt"] for edge in whole["edges"]]
    assert moments == sorted(moments, reverse=True)
    assert len(set(ids)) == len(ids) == whole["totalCount"]
    assert await feed() == ids
    seen: list[str] = []
    before = None
    while True:
        page = await payload(KINDS, id=PARTNER, last=4, before=before)
        seen = [edge["node"]["id"] for edge in page["edges"]] + seen
        before = page["pageInfo"]["startCursor"]
        if not page["pageInfo"]["hasPreviousPage"]:
            break
    assert seen == ids
    nested = await payload("query($id: ID!) { partner(id: $id) { timeline(first: 100) { nodes { id } } } }", id=PARTNER)
    assert [node["id"] for node in nested["timeline"]["nodes"]] == ids


async def test_filters_by_kind_and_time(world: asyncpg.Connection) -> None:
    calls = await payload(KINDS, id=PARTNER, filter={"kind": ["CALL", "REFUND"]})
    assert [node["kind"] for node in calls["nodes"]] == ["REFUND", "REFUND", "CALL"]
    between = {"happenedFrom": "2026-02-03T10:00:00Z", "happenedBefore": "2026-02-05T10:00:00Z"}
    some = await payload(KINDS, id=PARTNER, filter=between)
    assert [node["kind"] for node in some["nodes"]] == ["DOCUMENT", "DOCUMENT", "CONTRACT"]
    assert len(await feed(filter={"kind": ["NOTE", "CALL", "MEETING"]})) == 3
    assert (await payload(KINDS, id=PARTNER, filter={"kind": []}))["totalCount"] == 0


async def test_bad_pages_are_refused(world: asyncpg.Connection) -> None:
    for asked, code in (
        ({"after": "garbage"}, "INVALID_CURSOR"),
        ({"after": "WyJDUkVBVEVEX0FUIixudWxsLDJd"}, "INVALID_CURSOR"),
        ({"first": 0}, "INVALID_PAGE"),
        ({"first": 1, "last": 1}, "INVALID_PAGE"),
        ({"id": encode_id("User", 1)}, "INVALID_ID"),
    ):
        answer = await run(KINDS, **{"id": PARTNER, **asked})
        assert answer["errors"][0]["extensions"]["code"] == code


async def test_kinds_beyond_the_caller_are_left_out_and_walls_hold(world: asyncpg.Connection) -> None:
    billing = Principal(kind="staff", permissions=ROLES["BILLING"][1])
    assert "SIGN_IN" not in {node["kind"] for node in (await payload(KINDS, billing, id=PARTNER, first=100))["nodes"]}
    refused = await run(WHOLE, billing, id=PARTNER)
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    mine = {node["kind"] for node in (await payload(KINDS, tenant(1), id=PARTNER, first=100))["nodes"]}
    of_billing = {"CONTRACT", "DOCUMENT", "INVOICE", "PAYMENT", "REFUND", "SUBSCRIPTION_CHANGE"}
    assert mine == of_billing | {"STATUS_CHANGE", "ONBOARDING", "HELP", "SIGN_IN"}, (
        "an owner sees the sign-ins of its own people"
    )
    documents = await payload(KINDS, tenant(1), id=PARTNER, filter={"kind": ["DOCUMENT"]})
    assert documents["totalCount"] == 1, "the other one is not shown to the partner"
    assert (await payload(KINDS, tenant(2, ALL), id=PARTNER))["totalCount"] == 0
    hidden = await run('{ __type(name: "TimelineNote") { name } }', tenant(1))
    assert hidden["data"] == {"__type": None}
    nothing = Principal(kind="staff", permissions=frozenset({"partner:read", ALL_ROWS}))
    assert {node["kind"] for node in (await payload(KINDS, nothing, id=PARTNER))["nodes"]} == {"STATUS_CHANGE"}


async def test_looks_of_our_staff_are_logged_and_no_others(world: asyncpg.Connection) -> None:
    await world.execute(
        "INSERT INTO users (kind, partner_id, email, full_name, password_hash) VALUES ('PARTNER', 2, 'b@x.test', 'B', 'x');"
        "UPDATE sessions SET user_id = (SELECT max(id) FROM users) WHERE partner_id = 2"
    )
    # A row of partner 1 has the same key as the sign-in of partner 2.
    assert (
        await world.fetchval(
            "SELECT partner_id FROM invoices WHERE id = (SELECT id FROM sessions WHERE partner_id = 2)"
        )
        == 1
    )
    for source in (KINDS, WHOLE):
        await payload(source, Principal(kind="staff", permissions=ALL, user_id=1), id=PARTNER)
        assert await world.fetchval("SELECT partner_ids FROM access_log_entries ORDER BY id DESC LIMIT 1") == [1]


async def test_each_branch_is_a_range_of_its_index(world: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[tuple[str, tuple[Any, ...]]] = []
    fetch = asyncpg.Connection.fetch

    async def kept(self: Any, query: str, *args: Any, **more: Any) -> Any:
        statements.append((query, args))
        return await fetch(self, query, *args, **more)

    monkeypatch.setattr(asyncpg.Connection, "fetch", kept)
    page = await payload(KINDS, id=PARTNER, first=3)
    await payload(KINDS, id=PARTNER, first=3, after=page["pageInfo"]["endCursor"])
    query, values = statements[-1]
    await world.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    plan = "\n".join(row[0] for row in await fetch(world, f"EXPLAIN {query}", *values))
    tables = {getattr(type_, BINDING_KEY).model.__tablename__ for type_ in TIMELINE_TYPES}
    ranged = re.findall(r"Index (?:Only )?Scan Backward using ix_(\w+)_timeline", plan)
    assert sorted(ranged) == sorted(tables), plan
    for scan in plan.split("Scan Backward")[1:]:
        assert re.search(r"Index Cond: \(\(partner_id = .*\) AND \(created_at <= ", scan), plan
