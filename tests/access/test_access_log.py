"""Every look of our people at partners' data is written down: whose data, which operation, why (ACC-5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest

from core import clock
from core.ids import encode_id
from core.principal import Principal
from core.request import RequestInfo, enter_request
from core.settings import get_settings
from domain.access_grants import REASON_LIVES
from models import InvoiceDocument, Partner
from policies.roles import ROLES
from tests.access.test_grants import a_user, granted
from tests.api import payload, run
from tests.factories.world import STAFF, a_partner, a_plan, a_product, an_install
from tests.marked import a_row

STATE = "mutation($reason: String!) { accessReasonSet(input: {reason: $reason}) { reason userErrors { code } } }"
OWNER_OF_ALPHA = "PARTNER_OWNER"


@pytest.fixture
async def partners(owner: asyncpg.Connection) -> list[Partner]:
    """Three partners with an install of the same product each."""
    found = [await a_partner(name=name) for name in ("Alpha Trade", "Beta", "Gamma")]
    product_id = (await a_product()).product.id
    await a_plan(product_id)
    for partner in found:
        await an_install(partner.id, product_id)
    return found


@pytest.fixture
async def billing(owner: asyncpg.Connection) -> Principal:
    return await a_user(owner, "BILLING")


async def last(owner: asyncpg.Connection) -> dict[str, Any]:
    row = await owner.fetchrow("SELECT * FROM access_log_entries ORDER BY id DESC LIMIT 1")
    return dict(row) if row is not None else {}


async def count(owner: asyncpg.Connection) -> int:
    found: int = await owner.fetchval("SELECT count(*) FROM access_log_entries")
    return found


async def test_each_kind_of_look_names_its_partners(
    owner: asyncpg.Connection, partners: list[Partner], billing: Principal
) -> None:
    alpha = encode_id("Partner", partners[0].id)
    everybody = [partner.id for partner in partners]
    await owner.execute("INSERT INTO partner_notes (partner_id, body) VALUES ($1, 'x')", everybody[0])
    reads: list[tuple[str, list[int]]] = [
        ("query Page { partners(first: 2) { nodes { name } } }", everybody[1:]),
        (f'query One {{ partner(id: "{alpha}") {{ name }} }}', everybody[:1]),
        ("query Count { partners { totalCount } }", []),
        # Neither products nor users are a partner's, but what they lead to is.
        ("query Nested { products { nodes { installs(first: 2) { nodes { status } } } } }", everybody[1:]),
        ("query Deep { plans { nodes { product { installs(first: 1) { nodes { status } } } } } }", everybody[2:]),
        (f'query Two {{ a: node(id: "{alpha}") {{ id }} products {{ totalCount }} }}', everybody[:1]),
        ('query Search { partnerSearch(query: "Alpha") { matches { score } } }', everybody[:1]),
        (f'query Timeline {{ partnerTimeline(partnerId: "{alpha}") {{ nodes {{ id }} }} }}', everybody[:1]),
    ]
    for number, (source, looked) in enumerate(reads, 1):
        answer = await run(source, billing)
        assert not answer["errors"], answer
        entry = await last(owner)
        assert await count(owner) == number, source
        assert (entry["operation_name"], entry["partner_ids"]) == (source.split()[1], looked)
        assert (entry["user_id"], entry["roles"]) == (billing.user_id, ["BILLING"])
        assert entry["fields"]
        assert len(entry["document_hash"]) == 64
    before = await count(owner)
    await run("{ products { nodes { name } } viewer { kind } }", billing)
    assert await count(owner) == before, "nothing of partners was read"


async def test_payloads_of_mutations_are_looks_too(owner: asyncpg.Connection, partners: list[Partner]) -> None:
    change = """mutation Change($id: ID!) { partnerUpdate(input: {id: $id, version: 1, segment: "big"}) {
        partner { name } userErrors { code } } }"""
    answer = await payload(change, STAFF, id=encode_id("Partner", partners[1].id))
    assert answer["partner"] == {"name": "Beta"}, answer
    entry = await last(owner)
    assert (entry["operation_name"], entry["partner_ids"]) == ("Change", [partners[1].id])


async def test_the_reason_is_the_requests_the_sessions_or_the_grants(
    owner: asyncpg.Connection, partners: list[Partner], billing: Principal
) -> None:
    read = "{ partners { nodes { id } } }"
    await run(read, billing)
    assert (await last(owner))["reason"] is None
    assert (await payload(STATE, billing, reason=" month's end "))["reason"] == "month's end"
    await run(read, billing)
    assert (await last(owner))["reason"] == "month's end"
    enter_request(RequestInfo("r", access_reason="%D0%B7%D0%B2%D0%BE%D0%BD%D0%BE%D0%BA", ip="10.0.0.7"))
    await run(read, billing)
    entry = await last(owner)
    assert (entry["reason"], entry["request_id"], entry["ip"]) == ("звонок", "r", "10.0.0.7")
    enter_request(RequestInfo("r", access_reason="no"))
    assert (await run(read, billing))["errors"][0]["extensions"]["code"] == "INVALID_ACCESS_REASON"
    enter_request(RequestInfo("r"))
    clock.travel(clock.now() + REASON_LIVES)
    await run(read, billing)
    assert (await last(owner))["reason"] is None, "asked again after a working day"
    support, chief = await a_user(owner, "SUPPORT"), await a_user(owner, "SUPERADMIN")
    grant = await granted(support, chief, partners[2], ticket="SUP-7")
    await run(read, support)
    entry = await last(owner)
    assert (entry["reason"], entry["partner_ids"]) == ("SUP-7: the wallet is empty", [partners[2].id])
    assert encode_id("AccessGrant", entry["access_grant_id"]) == grant


async def test_where_a_reason_is_required_none_is_refused(
    owner: asyncpg.Connection, partners: list[Partner], billing: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KONTORA_ACCESS_REASON", "required")
    get_settings.cache_clear()
    looks = ["{ partners { nodes { id } } }", '{ partnerSearch(query: "Alpha") { matches { score } } }']
    for source in looks:
        refused = await run(source, billing)
        assert refused["data"] is None
        assert refused["errors"][0]["extensions"]["code"] == "ACCESS_REASON_REQUIRED"
        assert "accessReasonSet" in refused["errors"][0]["message"]
    assert await count(owner) == 0
    assert not (await run("{ products { nodes { id } } }", billing))["errors"], "nobody's data"
    token = replace(billing, session_id=None, api_token_id=1)
    assert (await payload(STATE, token, reason="a good reason"))["userErrors"] == [{"code": "NO_SESSION"}]
    enter_request(RequestInfo("r", access_reason="reconciliation"))
    assert not (await run(looks[0], token))["errors"]
    enter_request(RequestInfo("r"))
    await payload(STATE, billing, reason="a good reason")
    for source in looks:
        assert not (await run(source, billing))["errors"], "known at once, before the session is looked up again"
    assert not (await run(looks[0], Principal("partner", ROLES[OWNER_OF_ALPHA][1], partner_id=partners[0].id)))[
        "errors"
    ]


async def test_a_partner_sees_who_looked_and_searching_the_log_is_logged(
    owner: asyncpg.Connection, partners: list[Partner], billing: Principal
) -> None:
    await run("query Card($id: ID!) { partner(id: $id) { name } }", billing, id=encode_id("Partner", partners[1].id))
    await run("query All { partners { nodes { name } } }", billing)
    source = """{ accessLogEntries { totalCount nodes { createdAt userId roles operationName reason partnerIds } } }"""
    own = Principal("partner", ROLES[OWNER_OF_ALPHA][1], partner_id=partners[0].id, user_id=99)
    told = (await run(source, own))["data"]["accessLogEntries"]
    assert told["totalCount"] == 1
    assert told["nodes"][0].pop("createdAt")
    assert told["nodes"] == [
        {
            "userId": str(billing.user_id),
            "roles": ["BILLING"],
            "operationName": "All",
            "reason": None,
            "partnerIds": [str(partners[0].id)],
        }
    ]
    auditor = await a_user(owner, "AUDITOR")
    filtered = """query Search($p: ID!, $u: ID!) { accessLogEntries(
        filter: {partnerId: $p, userId: $u, operationName: "Card", createdFrom: "2020-01-01T00:00:00Z"},
        orderBy: {field: CREATED_AT, direction: ASC}) { nodes { partnerIds } } }"""
    ids = {"p": encode_id("Partner", partners[1].id), "u": encode_id("User", billing.user_id or 0)}
    found = await run(filtered, auditor, **ids)
    assert found["data"] == {"accessLogEntries": {"nodes": [{"partnerIds": [str(partners[1].id)]}]}}
    entry = await last(owner)
    assert (entry["operation_name"], entry["user_id"]) == ("Search", auditor.user_id)


PAGE = """query Log($p: ID, $after: String, $before: String, $first: Int, $last: Int, $until: DateTime) {
    accessLogEntries(first: $first, after: $after, last: $last, before: $before,
        filter: {partnerId: $p, createdBefore: $until}) {
        totalCount pageInfo { hasNextPage startCursor endCursor } nodes { operationName createdAt } } }"""


async def test_pages_of_one_partner_follow_one_another(
    owner: asyncpg.Connection, partners: list[Partner], billing: Principal
) -> None:
    for number in range(7):
        looked = encode_id("Partner", partners[number % 2].id)
        await run(f"query Look{number}($id: ID!) {{ partner(id: $id) {{ name }} }}", billing, id=looked)
    await run("query All { partners { nodes { name } } }", billing)
    alpha = encode_id("Partner", partners[0].id)
    own = Principal("partner", ROLES[OWNER_OF_ALPHA][1], partner_id=partners[0].id, user_id=99)
    auditor = await a_user(owner, "AUDITOR")
    everything = ["All", "Look6", "Look4", "Look2", "Look0"]
    for asks, partner in ((auditor, alpha), (own, None), (own, alpha)):
        found, after = [], None
        for left in (5, 3, 1):
            page = (await run(PAGE, asks, p=partner, first=2, after=after))["data"]["accessLogEntries"]
            assert page["totalCount"] == 5
            assert page["pageInfo"]["hasNextPage"] == (left > 2)
            found += page["nodes"]
            after = page["pageInfo"]["endCursor"]
        assert [node["operationName"] for node in found] == everything
        back = (await run(PAGE, asks, p=partner, last=2, before=after))["data"]["accessLogEntries"]
        assert [node["operationName"] for node in back["nodes"]] == everything[2:4]
        until = found[2]["createdAt"]
        old = (await run(PAGE, asks, p=partner, first=2, until=until))["data"]["accessLogEntries"]
        assert [node["operationName"] for node in old["nodes"]] == everything[3:]
    nobody = await run(PAGE, own, p=encode_id("Partner", partners[1].id), first=2)
    assert nobody["data"]["accessLogEntries"]["nodes"] == [], "not even the looks that were at both"


async def test_the_headers_reach_the_log(
    owner: asyncpg.Connection, partners: list[Partner], http: httpx.AsyncClient, token: str
) -> None:
    asked = {"query": "query Http { partners { nodes { id } } }"}
    why = {"authorization": f"Bearer {token}", "x-kontora-reason": quote("сверка за месяц")}
    assert (await http.post("/graphql", json=asked, headers=why)).json()["data"]["partners"]["nodes"]
    assert (await last(owner))["reason"] == "сверка за месяц"


async def test_a_link_stops_with_the_grant_it_was_made_under(
    owner: asyncpg.Connection, partners: list[Partner], http: httpx.AsyncClient
) -> None:
    support, chief = await a_user(owner, "SUPPORT"), await a_user(owner, "SUPERADMIN")
    grant = await granted(support, chief, partners[0])
    for partner in partners[:2]:
        await a_row(owner, InvoiceDocument.__table__, partner.id)  # type: ignore[arg-type]
    mine, foreign = [
        encode_id("InvoiceDocument", row["id"])
        for row in await owner.fetch("SELECT id FROM invoice_documents ORDER BY 1")
    ]
    ask = "query Link($id: ID!) { invoiceDocumentLink(id: $id) { url } }"
    assert (await run(ask, support, id=foreign))["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    url = (await payload(ask, support, id=mine))["url"]
    assert ((await last(owner))["operation_name"], (await last(owner))["partner_ids"]) == ("Link", [partners[0].id])
    assert (await http.get(url)).status_code == 200
    entry = await last(owner)
    assert (entry["operation_name"], entry["reason"]) == ("InvoiceDocumentDownload", "the wallet is empty")
    assert encode_id("AccessGrant", entry["access_grant_id"]) == grant
    revoke = "mutation($id: ID!) { accessGrantRevoke(input: {id: $id}) { userErrors { code } } }"
    assert (await payload(revoke, chief, id=grant))["userErrors"] == []
    assert (await http.get(url)).status_code == 403
