"""Compiled reads: values, pages, scope, permissions and the number of statements."""

from __future__ import annotations

from typing import Any

import asyncpg
import orjson
import pytest
import strawberry

from core.principal import Principal
from planner.run import Planner
from planner.scalars import schema_config
from planner.write import dumps
from policies.permissions import ALL
from policies.roles import ROLES
from resolvers.reads import Reads
from schema.timeline import TIMELINE_TYPES
from tests.planner.world import build

STAFF = Principal(kind="staff", permissions=ALL, user_id=1)
PARTNER = Principal(kind="partner", permissions=ROLES["PARTNER_OWNER"][1], user_id=2, partner_id=1)


@pytest.fixture(scope="module")
def planner() -> Planner:
    return Planner(strawberry.Schema(Reads, types=TIMELINE_TYPES, config=schema_config()))


@pytest.fixture
async def world(owner: asyncpg.Connection) -> asyncpg.Connection:
    await build(owner)
    return owner


async def no_mutation(*_: Any) -> Any:
    raise AssertionError("nothing here changes anything")


async def read(planner: Planner, source: str, principal: Principal = STAFF, **variables: Any) -> dict[str, Any]:
    answer = await planner.execute(source, None, variables, principal, allow_mutation=False, run_mutation=no_mutation)
    whole: dict[str, Any] = orjson.loads(dumps({"data": answer.data, "errors": answer.errors}))
    return whole


async def test_values_of_a_list(planner: Planner, world: asyncpg.Connection) -> None:
    answer = await read(
        planner,
        """{ invoices(first: 2) { nodes { id databaseId number status total { amount currency } unitPrice { amount }
             dueAt createdAt partner { name } lines { position amount { amount } } __typename } } }""",
    )
    assert answer["errors"] == []
    first, second = answer["data"]["invoices"]["nodes"]
    assert first["number"] == "K-4-4"
    assert first["total"] == {"amount": "499.50", "currency": "RUB"}
    assert first["dueAt"] == "2026-03-05T00:00:00.123456Z"
    assert first["createdAt"] == "2026-02-01T00:00:00Z"
    assert first["partner"] == {"name": 'Beta \\ "b"'}
    assert [line["position"] for line in first["lines"]] == [1, 2]
    assert second["unitPrice"] is None
    assert first["__typename"] == "Invoice"


NESTED = """
query Partners($n: Int = 1) {
  partners(first: 5, orderBy: {field: NAME, direction: ASC}) {
    totalCount
    edges { cursor node { name inn installs(first: 5) { totalCount nodes {
      product { name } wallet { balance } subscription { seats plan { name prices { unitPrice { amount } } } }
      invoices(first: $n) { nodes { number payments { nodes { amount { amount } gatewayAnswer } } }
        pageInfo { hasNextPage endCursor hasPreviousPage startCursor } } } } } }
    pageInfo { hasNextPage hasPreviousPage }
  }
}
"""


async def test_nested_page(planner: Planner, world: asyncpg.Connection) -> None:
    answer = await read(planner, NESTED, n=2)
    assert answer["errors"] == []
    partners = answer["data"]["partners"]
    assert partners["totalCount"] == 2
    assert partners["pageInfo"] == {"hasNextPage": False, "hasPreviousPage": False}
    assert [edge["node"]["name"] for edge in partners["edges"]] == ['Beta \\ "b"', "Альфа"]
    alpha = partners["edges"][1]["node"]
    assert alpha["installs"]["totalCount"] == 2
    newest, oldest = alpha["installs"]["nodes"]
    assert newest["wallet"] is None
    assert newest["subscription"] is None
    assert oldest["wallet"] == {"balance": "1000.500"}
    assert oldest["subscription"]["plan"]["prices"] == [{"unitPrice": {"amount": "99.00"}}]
    assert [node["number"] for node in oldest["invoices"]["nodes"]] == ["K-1-4", "K-1-3"]
    assert oldest["invoices"]["pageInfo"]["hasNextPage"] is True
    assert oldest["invoices"]["nodes"][0]["payments"]["nodes"] == [
        {"amount": {"amount": "499.50"}, "gatewayAnswer": {"Success": True, "a": [1, "я"]}}
    ]


@pytest.mark.parametrize("order", ["", ", orderBy: {field: DUE_AT, direction: ASC}", ", orderBy: {field: TOTAL}"])
async def test_pages_from_both_ends_meet(planner: Planner, world: asyncpg.Connection, order: str) -> None:
    whole = await read(planner, f"{{ invoices(first: 100{order}) {{ nodes {{ number }} }} }}")
    numbers = [node["number"] for node in whole["data"]["invoices"]["nodes"]]
    assert len(numbers) == 16
    for size, edge, cursor in (("first", "after", "endCursor"), ("last", "before", "startCursor")):
        source = "query($c: String) { invoices(%s: 3, %s: $c%s) { nodes { number } pageInfo { %s hasNextPage hasPreviousPage } } }"
        seen: list[str] = []
        at = None
        while True:
            page = (await read(planner, source % (size, edge, order, cursor), c=at))["data"]["invoices"]
            found = [node["number"] for node in page["nodes"]]
            seen = seen + found if size == "first" else found + seen
            at = page["pageInfo"][cursor]
            if not page["pageInfo"]["hasNextPage" if size == "first" else "hasPreviousPage"]:
                break
        assert seen == numbers


async def test_partner_sees_its_rows_only(planner: Planner, world: asyncpg.Connection) -> None:
    answer = await read(
        planner, "{ invoices { totalCount nodes { number partner { name } } } partners { nodes { name } } }", PARTNER
    )
    assert answer["errors"] == []
    assert answer["data"]["invoices"]["totalCount"] == 8
    assert {node["partner"]["name"] for node in answer["data"]["invoices"]["nodes"]} == {"Альфа"}
    assert answer["data"]["partners"]["nodes"] == [{"name": "Альфа"}]
    for source in ("{ invoice(id: $id) { number } }", "{ node(id: $id) { ... on Invoice { number } } }"):
        own = await read(planner, "query($id: ID!) " + source, PARTNER, id="SW52b2ljZTox")
        other = await read(planner, "query($id: ID!) " + source, PARTNER, id="SW52b2ljZTo5")
        assert list(own["data"].values()) == [{"number": "K-1-1"}]
        assert list(other["data"].values()) == [None]
    products = await read(planner, "{ products { nodes { name installs { nodes { partner { name } } } } } }", PARTNER)
    assert {
        install["partner"]["name"]
        for node in products["data"]["products"]["nodes"]
        for install in node["installs"]["nodes"]
    } == {"Альфа"}


async def test_partner_schema_lacks_what_it_may_not_ask(planner: Planner, world: asyncpg.Connection) -> None:
    answer = await read(planner, "{ auditEvents { nodes { action } } }", PARTNER)
    assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    schema = await read(planner, '{ __type(name: "AuditEvent") { name } __schema { types { name } } }', PARTNER)
    names = {item["name"] for item in schema["data"]["__schema"]["types"]}
    assert schema["data"]["__type"] is None
    assert "Invoice" in names
    assert not names & {"AuditEvent", "AuditEventConnection", "OutboxMessage", "GatewayNotification"}


async def test_staff_is_told_which_permission_is_missing(planner: Planner, world: asyncpg.Connection) -> None:
    developer = Principal(kind="staff", permissions=ROLES["DEVELOPER"][1], user_id=3)
    answer = await read(planner, "{ products { nodes { name installs { totalCount } } } }", developer)
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"] == {
        "code": "FORBIDDEN",
        "field": "Product.installs",
        "permission": "install:read",
    }


async def test_filters(planner: Planner, world: asyncpg.Connection) -> None:
    source = "query($f: InvoiceFilter) { invoices(filter: $f, first: 100) { totalCount nodes { number status } } }"
    pending = await read(planner, source, f={"status": ["PENDING"]})
    assert pending["data"]["invoices"]["totalCount"] == 4
    one = await read(
        planner, source, f={"status": ["PAID"], "installId": "SW5zdGFsbDoy", "createdFrom": "2026-01-01T00:00:00Z"}
    )
    assert sorted(node["number"] for node in one["data"]["invoices"]["nodes"]) == ["K-2-2", "K-2-3", "K-2-4"]
    wrong = await read(planner, source, f={"installId": "SW52b2ljZTox"})
    assert wrong["errors"][0]["extensions"]["code"] == "INVALID_ID"


async def test_a_query_is_one_statement(
    planner: Planner, world: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []
    fetch = asyncpg.Connection.fetch

    async def counted(self: Any, query: str, *args: Any, **more: Any) -> Any:
        statements.append(query)
        return await fetch(self, query, *args, **more)

    monkeypatch.setattr(asyncpg.Connection, "fetch", counted)
    for principal in (STAFF, PARTNER):
        statements.clear()
        answer = await read(
            planner, "{ invoices { nodes { number } } installs { totalCount } products { nodes { name } } }", principal
        )
        assert answer["errors"] == []
        assert len(statements) == 1


async def test_staff_looks_are_logged(planner: Planner, world: asyncpg.Connection) -> None:
    await read(planner, "query Look { partners(first: 1) { nodes { name } } installs { nodes { id } } }")
    await read(planner, 'query Single { partner(id: "UGFydG5lcjox") { inn } }')
    await read(planner, "{ products { nodes { name } } }")
    logged = await world.fetch("SELECT * FROM access_log_entries ORDER BY id")
    assert [row["operation_name"] for row in logged] == ["Look", "Single"]
    assert logged[0]["partner_ids"] == [1, 2]
    assert logged[1]["partner_ids"] == [1]
    assert "Partner.inn" in logged[1]["fields"]
    assert logged[0]["user_id"] == 1


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("{ invoices(first: 0) { nodes { id } } }", "INVALID_PAGE"),
        ("{ invoices(first: 101) { nodes { id } } }", "INVALID_PAGE"),
        ("{ invoices(first: 1, last: 1) { nodes { id } } }", "INVALID_PAGE"),
        ('{ invoices(after: "x") { nodes { id } } }', "INVALID_CURSOR"),
        ('{ invoices(after: "WyJEVUVfQVQiLCJ4IiwxXQ==") { nodes { id } } }', "INVALID_CURSOR"),
        ('{ invoice(id: "x") { id } }', "INVALID_ID"),
        ('{ invoice(id: "UGFydG5lcjox") { id } }', "INVALID_ID"),
        ('{ node(id: "Tm90aGluZzox") { id } }', "INVALID_ID"),
        (
            "{ invoices(first: 100) { nodes { payments(first: 100) { nodes { stateChanges(first: 100) { nodes { id } } } } } } }",
            "COST_TOO_HIGH",
        ),
    ],
)
async def test_bad_input_is_told(planner: Planner, world: asyncpg.Connection, source: str, code: str) -> None:
    answer = await read(planner, source)
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]


async def test_values_that_have_plans_of_their_own(planner: Planner, world: asyncpg.Connection) -> None:
    source = """query($status: [InvoiceStatus!], $one: InvoiceStatus!, $auto: Boolean) {
        invoices(first: 1, filter: {status: $status}) { totalCount }
        each: invoices(first: 1, filter: {status: [$one]}) { totalCount }
        subscriptions(filter: {autoRenew: $auto}) { totalCount } }"""
    found = [
        await read(planner, source, status=status, one=one, auto=auto)
        for status, one, auto in (
            (["PAID"], "PENDING", True),
            (["PENDING"], "PAID", False),
            (["PAID", "PENDING"], "CANCELED", None),
            ([], "PAID", True),
        )
    ]
    counts = [[part["totalCount"] for part in one["data"].values()] for one in found]
    assert counts == [[12, 4, 2], [4, 12, 0], [16, 0, 2], [0, 12, 2]]
