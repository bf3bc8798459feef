"""The limit: a bare ASGI app that runs hand-written SQL for the three reads and sends the bytes.

No GraphQL, no sign-in, no permissions, no access log. Each statement has the fastest form found for it: shallow
parts as plain rows, deep parts as text that PostgreSQL joins.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import orjson

LIST = """
    SELECT id, number, status, total::text, currency, due_at, paid_at FROM invoices ORDER BY id DESC LIMIT 50
"""

PARTNER = """
    SELECT p.id, p.name, p.inn, p.status, (
        SELECT '[' || coalesce(string_agg(
            '{"id":"' || encode(('Install:' || i.id)::bytea, 'base64') || '","status":"' || i.status
            || '","product":{"name":' || (SELECT to_json(name)::text FROM products WHERE id = i.product_id)
            || '},"wallet":' || coalesce((
                SELECT '{"balance":"' || balance || '"}' FROM wallets WHERE install_id = i.id), 'null')
            || '}', ',' ORDER BY i.id DESC), '') || ']'
        FROM (SELECT * FROM installs WHERE partner_id = p.id ORDER BY id DESC LIMIT 5) i)
    FROM partners p WHERE p.id = $1
"""

_MOMENT = """replace(to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z')"""

NESTED = f"""
    SELECT p.id, p.name, p.inn, p.status, (
        SELECT '[' || coalesce(string_agg(
            '{{"id":"' || encode(('Install:' || i.id)::bytea, 'base64') || '","status":"' || i.status
            || '","product":' || (
                SELECT '{{"id":"' || encode(('Product:' || id)::bytea, 'base64') || '","name":' || to_json(name)::text
                    || '}}' FROM products WHERE id = i.product_id)
            || ',"subscription":' || coalesce((
                SELECT '{{"id":"' || encode(('Subscription:' || s.id)::bytea, 'base64') || '","status":"' || s.status
                    || '","seats":' || s.seats || ',"endsAt":"' || {_MOMENT.format("s.ends_at")}
                    || '","unitPrice":{{"amount":"' || s.unit_price || '","currency":"' || s.currency
                    || '"}},"plan":' || coalesce((
                        SELECT '{{"id":"' || encode(('Plan:' || id)::bytea, 'base64') || '","name":'
                            || to_json(name)::text || '}}' FROM plans WHERE id = s.plan_id), 'null') || '}}'
                FROM subscriptions s WHERE s.install_id = i.id AND s.status IN ('TRIAL', 'ACTIVE', 'PAST_DUE')), 'null')
            || ',"wallet":' || coalesce((
                SELECT '{{"id":"' || encode(('Wallet:' || id)::bytea, 'base64') || '","balance":"' || balance || '"}}'
                FROM wallets WHERE install_id = i.id), 'null')
            || ',"invoices":{{"nodes":[' || coalesce((
                SELECT string_agg(
                    '{{"id":"' || encode(('Invoice:' || v.id)::bytea, 'base64')
                    || '","number":' || to_json(v.number)::text || ',"status":"' || v.status
                    || '","total":{{"amount":"' || v.total || '","currency":"' || v.currency
                    || '"}},"dueAt":"' || {_MOMENT.format("v.due_at")} || '","payments":{{"nodes":[' || coalesce((
                        SELECT string_agg(
                            '{{"id":"' || encode(('Payment:' || y.id)::bytea, 'base64') || '","status":"' || y.status
                            || '","amount":{{"amount":"' || y.amount || '","currency":"' || y.currency
                            || '"}},"confirmedAt":'
                            || coalesce('"' || {_MOMENT.format("y.confirmed_at")} || '"', 'null')
                            || '}}', ',' ORDER BY y.id DESC)
                        FROM (SELECT * FROM payments WHERE invoice_id = v.id ORDER BY id DESC LIMIT 3) y), '')
                    || ']}}}}', ',' ORDER BY v.id DESC)
                FROM (SELECT * FROM invoices WHERE install_id = i.id ORDER BY id DESC LIMIT 3) v), '')
            || ']}}}}', ',' ORDER BY i.id DESC), '') || ']'
        FROM (SELECT * FROM installs WHERE partner_id = p.id ORDER BY id DESC LIMIT 5) i)
    FROM partners p ORDER BY p.id DESC LIMIT 50
"""

_pool: list[asyncpg.Pool[asyncpg.Record]] = []


async def _no_reset(_connection: Any) -> None:
    """Nothing outlives a read."""


async def pool() -> asyncpg.Pool[asyncpg.Record]:
    """The pool, made at the first request."""
    if not _pool:
        _pool.append(
            await asyncpg.create_pool(
                os.environ["KONTORA_DATABASE_URL"],
                min_size=1,
                max_size=10,
                reset=_no_reset,
                server_settings={"jit": "off"},
            )
        )
    return _pool[0]


def gid(prefix: bytes, key: int) -> str:
    """A global id."""
    return base64.b64encode(prefix + b"%d" % key).decode()


def partner(row: asyncpg.Record) -> dict[str, Any]:
    """A partner with its installs, which are JSON text already."""
    return {
        "id": gid(b"Partner:", row[0]),
        "name": row[1],
        "inn": row[2],
        "status": row[3],
        "installs": {"nodes": orjson.Fragment(row[4])},
    }


async def invoice_list(_variables: dict[str, Any]) -> Any:
    """50 invoices."""
    rows = await (await pool()).fetch(LIST)
    nodes = [
        {
            "id": gid(b"Invoice:", row[0]),
            "number": row[1],
            "status": row[2],
            "total": {"amount": row[3], "currency": row[4]},
            "dueAt": row[5],
            "paidAt": row[6],
        }
        for row in rows
    ]
    return {"invoices": {"nodes": nodes}}


async def one_partner(variables: dict[str, Any]) -> Any:
    """One partner with its installs."""
    key = int(base64.b64decode(variables["id"]).partition(b":")[2])
    return {"partner": partner((await (await pool()).fetch(PARTNER, key))[0])}


async def partner_page(_variables: dict[str, Any]) -> Any:
    """50 partners with everything."""
    return {"partners": {"nodes": [partner(row) for row in await (await pool()).fetch(NESTED)]}}


READS: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
    "InvoiceList": invoice_list,
    "OnePartner": one_partner,
    "PartnerPage": partner_page,
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The whole application."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    request = orjson.loads(body)
    data = await READS[request["operationName"]](request.get("variables") or {})
    answer = orjson.dumps({"data": data}, option=orjson.OPT_UTC_Z)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
