"""Values that PostgreSQL or Python would choke on are told as bad input, never as a failure of ours."""

from __future__ import annotations

import base64
from typing import Any

import asyncpg
import orjson
import pytest

from core.ids import encode_id
from planner.run import Planner
from tests.planner.test_read import PARTNER, STAFF, planner, read, world

__all__ = ["planner", "world"]

BY_FILTER = "query($value: InvoiceFilter) { invoices(filter: $value) { nodes { id } } }"
BY_ID = "query($value: ID!) { node(id: $value) { id } }"


def after(order: str) -> str:
    """A page after a cursor in an order."""
    return f"query($value: String) {{ invoices(after: $value, orderBy: {{field: {order}}}) {{ nodes {{ id }} }} }}"


def cursor(*parts: Any) -> str:
    """A cursor made by hand."""
    return base64.b64encode(orjson.dumps(parts)).decode()


@pytest.mark.parametrize(
    ("source", "value", "code"),
    [
        (BY_FILTER, {"number": "a\0b"}, "INVALID_TEXT"),
        (BY_FILTER, {"createdFrom": "0001-01-01T00:00:00+14:00"}, "BAD_USER_INPUT"),
        (BY_FILTER, {"createdFrom": "9999-12-31T23:59:59-14:00"}, "BAD_USER_INPUT"),
        (BY_FILTER, {"createdFrom": "2026-02-30T00:00:00Z"}, "BAD_USER_INPUT"),
        (BY_FILTER, {"createdFrom": "2026-02-01"}, "BAD_USER_INPUT"),
        (BY_FILTER, {"partnerId": encode_id("Partner", 2**63 - 1) + "x"}, "INVALID_ID"),
        (after("DUE_AT"), cursor("DUE_AT", "2026-W01-1T00:00:00+00:00", 1), "INVALID_CURSOR"),
        (after("DUE_AT"), cursor("DUE_AT", "2026-02-30 00:00:00+00", 1), "INVALID_CURSOR"),
        (after("DUE_AT"), cursor("TOTAL", "1", 1), "INVALID_CURSOR"),
        (after("TOTAL"), cursor("TOTAL", "NaN", 1), "INVALID_CURSOR"),
        (after("TOTAL"), cursor("TOTAL", "1", True), "INVALID_CURSOR"),
        (after("TOTAL"), cursor("TOTAL", "1", 2**63), "INVALID_CURSOR"),
        (after("CREATED_AT"), cursor("CREATED_AT", "x", 1), "INVALID_CURSOR"),
        (after("CREATED_AT"), base64.b64encode(b"[" * 900).decode(), "INVALID_CURSOR"),
        (after("CREATED_AT"), "é" * 3_000, "INVALID_CURSOR"),
        (after("CREATED_AT"), "", "INVALID_CURSOR"),
        (BY_ID, "\0", "INVALID_ID"),
        (BY_ID, "é", "INVALID_ID"),
        (BY_ID, encode_id("Query", 1), "INVALID_ID"),
        (BY_ID, encode_id("InvoiceConnection", 1), "INVALID_ID"),
        (BY_ID, encode_id("Invoice", 2**63), "INVALID_ID"),
    ],
)
async def test_hostile_value_is_told(
    planner: Planner, world: asyncpg.Connection, source: str, value: Any, code: str
) -> None:
    for principal in (STAFF, PARTNER):
        answer = await read(planner, source, principal, value=value)
        assert answer["data"] is None
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]


@pytest.mark.parametrize(
    ("source", "variables", "expected"),
    [
        ("{ invoices @skip(if: true) { nodes { id } } }", {}, {}),
        ("{ invoices { nodes @skip(if: true) { id } } }", {}, {"invoices": {}}),
        (
            "query($id: ID!) { invoice(id: $id) { unitPrice { amount @skip(if: true) } partner { id @skip(if: true) } } }",
            {"id": encode_id("Invoice", 3)},
            {"invoice": {"unitPrice": None, "partner": {}}},
        ),
        (
            'query($i: ID!) { node(id: "SW52b2ljZToz") { ... on Invoice { unitPrice { amount @skip(if: true) } } } }',
            {"i": ""},
            None,
        ),
        (
            "query($n: Int) { invoices(first: $n, last: 1) { nodes { number } } }",
            {},
            {"invoices": {"nodes": [{"number": "K-1-1"}]}},
        ),
        (
            "query($s: InvoiceStatus!, $n: Int = 1) { invoices(filter: {status: [$s]}, last: $n) { nodes { number } } }",
            {"s": "PAID"},
            {"invoices": {"nodes": [{"number": "K-1-2"}]}},
        ),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": []}, {"nodes": []}),
    ],
)
async def test_odd_but_valid(
    planner: Planner, world: asyncpg.Connection, source: str, variables: dict[str, Any], expected: Any
) -> None:
    answer = await read(planner, source, **variables)
    if expected is None:
        assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    else:
        assert answer == {"data": expected, "errors": []}
