"""Nobody who is held to one partner reaches another's row by any field of the schema, with either wall alone.

Partners' users are held to their own (ACC-4), our people who need access grants to the grant's partner (ACC-5).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import pytest
from graphql import GraphQLField, GraphQLObjectType, get_named_type, is_required_argument
from sqlalchemy import Table

from core.database import transaction
from core.ids import encode_id
from core.principal import ALL_ROWS, Principal
from core.settings import get_settings
from models import Base
from models.security import GRANTEE_OWN, SHARED_WITH_TENANTS, partner_predicate, scope_column
from planner.run import Planner
from planner.scope import table_of
from planner.selection import binding_of
from planner.write import dumps
from policies.permissions import ALL
from resolvers.mutation import run_mutation
from resolvers.root import planner, schema
from services import demo
from tests.marked import a_row

OWN, OTHER = 1, 2
# More permissions than any partner role has: the walls must hold whatever a custom role gives.
TENANT = Principal(kind="partner", permissions=ALL, user_id=8, partner_id=OWN)
# The fifth user of the demo world, so one of ours.
GRANTEE = Principal(kind="staff", permissions=ALL - {ALL_ROWS}, user_id=5)
WALLS = [
    (TENANT, "both"),
    (TENANT, "only the predicate"),
    (TENANT, "only row-level security"),
    (GRANTEE, "only the predicate"),
    (GRANTEE, "only row-level security"),
]
TYPES = {
    name: type_
    for name, type_ in planner.schema.type_map.items()
    if isinstance(type_, GraphQLObjectType)
    and (binding := binding_of(type_)) is not None
    and binding.model is not None
    and "id" in type_.fields
}
LISTS = {
    get_named_type(field.type).fields["nodes"].type.of_type.of_type.of_type.name: name
    for name, field in planner.schema.query_type.fields.items()  # type: ignore[union-attr]
    if get_named_type(field.type).name.endswith("Connection")
    and not any(is_required_argument(argument) for argument in field.args.values())
}


@pytest.fixture
async def world(owner: asyncpg.Connection) -> asyncpg.Connection:
    """The demo world, and a row of two partners in each table that the demo leaves empty."""
    async with transaction() as session:
        await demo.seed(session, password="correct horse battery")
    await owner.execute(
        """
        INSERT INTO users (kind, partner_id, email, full_name, password_hash)
            VALUES ('PARTNER', 2, 'other@demo.test', 'Other', 'x');
        INSERT INTO sessions (user_id, partner_id, kind, expires_at, last_used_at)
            SELECT id, partner_id, 'TOKEN', now(), now() FROM users;
        INSERT INTO api_tokens (user_id, partner_id, name, token_hash, hint, permissions, expires_at)
            SELECT id, partner_id, 'x', 'hash ' || id, 'hint', '{invoice:read}', now() FROM users;
        INSERT INTO idempotency_records (partner_id, scope, key, mutation, input_hash, expires_at)
            SELECT id, 'user:' || id, 'key', 'x', 'y', now() FROM partners;
        INSERT INTO dead_letters (outbox_message_id, partner_id, kind, payload, error, attempts)
            SELECT (SELECT min(id) FROM outbox_messages), id, 'x', '{}', 'y', 1 FROM partners;
        INSERT INTO event_deliveries (partner_id, product_event_id, attempt, duration_ms)
            SELECT partner_id, id, 1, 5 FROM product_events;
        INSERT INTO gateway_notifications (gateway, raw, headers, payment_id)
            SELECT 'sandbox', 'x', '{}', id FROM payments;
        INSERT INTO coin_packages (name, coins, price) VALUES ('1000', 1000, 500);
        INSERT INTO wallet_top_ups (partner_id, wallet_id, coin_package_id, threshold)
            SELECT partner_id, id, 1, 5 FROM wallets;
        INSERT INTO wallet_holds (partner_id, wallet_id, key, amount, description, expires_at, transaction_id)
            SELECT partner_id, wallet_id, 'x', 1, 'x', now(), min(id) FROM wallet_transactions GROUP BY 1, 2;
        INSERT INTO invoice_documents (partner_id, invoice_id, kind, number, dated_at, size_bytes, sha256, content)
            SELECT partner_id, id, 'INVOICE', number, now(), 1, 'x', 'x' FROM invoices;
        INSERT INTO subscription_notices (partner_id, subscription_id, ends_at, days_before)
            SELECT partner_id, id, ends_at, 1 FROM subscriptions;
        INSERT INTO refunds (partner_id, payment_id, invoice_id, key, amount, currency, reason)
            SELECT partner_id, id, invoice_id, 'key ' || id, 1, 'RUB', 'x' FROM payments;
        INSERT INTO partner_status_changes (partner_id, from_status, to_status) SELECT id, 'ACTIVE', 'BLOCKED' FROM partners;
        INSERT INTO partner_contracts (partner_id, number) SELECT id, 'x' FROM partners;
        INSERT INTO partner_documents (partner_id, contract_id, kind, title, status, visible_to_partner, url)
            SELECT c.partner_id, c.id, 'ACT', 'x', 'AVAILABLE', shown, 'https://x.test'
            FROM partner_contracts c, unnest('{true,false}'::boolean[]) shown;
        INSERT INTO modules (product_id, code, name) SELECT id, 'x', 'x' FROM products;
        INSERT INTO plan_modules (plan_id, module_id)
            SELECT p.id, m.id FROM plans p JOIN modules m USING (product_id);
        INSERT INTO mails (partner_id, recipient, template, locale, message_id)
            SELECT id, 'x', 'x', 'en', 'mail ' || id FROM partners;
        INSERT INTO bulk_operations (partner_id, kind, format, requested_by_user_id, permissions, expires_at)
            SELECT id, 'PARTNER_EXPORT', 'CSV', 8, '{}', now() FROM partners;
        INSERT INTO bulk_operation_problems (bulk_operation_id, partner_id, row_number, code, message)
            SELECT id, partner_id, 1, 'x', 'x' FROM bulk_operations;
        INSERT INTO partner_notes (partner_id, body) SELECT id, 'x' FROM partners;
        INSERT INTO outside_payments (source, external_id, amount, currency, paid_at, purpose)
            VALUES ('API', 'x', 1, 'RUB', now(), 'x');
        INSERT INTO access_log_entries (user_id, document_hash, fields, partner_ids)
            VALUES (1, 'x', '{}', '{1}'), (1, 'x', '{}', '{2}'), (1, 'x', '{}', '{1,2}');
        INSERT INTO access_grants (partner_id, partner_name, requested_by_user_id, reason, minutes, status, decided_at,
                expires_at)
            VALUES (1, 'x', 5, 'x', 60, 'APPROVED', now(), now() + interval '1 hour'),
                (2, 'x', 6, 'x', 60, 'APPROVED', now(), now() + interval '1 hour');
        INSERT INTO user_permissions (user_id, permission) SELECT id, 'invoice:pay' FROM users;
        INSERT INTO password_links (user_id, purpose, token_hash, expires_at) SELECT id, 'RESET', id, now() FROM users;
        INSERT INTO user_roles (user_id, role_id) SELECT users.id, roles.id FROM users, roles
            WHERE email = 'other@demo.test' AND name = 'PARTNER_OWNER';
        """
    )
    for table in Base.metadata.sorted_tables:
        column = scope_column(table)
        if column is not None:
            found = {row[0] for row in await owner.fetch(f"SELECT DISTINCT {column} FROM {table.name}")}
            for partner_id in {OWN, OTHER} - found:
                await a_row(owner, table, partner_id)
        elif table.name in SHARED_WITH_TENANTS and not await owner.fetchval(f"SELECT count(*) FROM {table.name}"):
            await a_row(owner, table, OWN)
    return owner


@dataclass(frozen=True)
class Walls:
    """A planner with fresh plans while only some of the walls stand, and who asks it."""

    planner: Planner
    caller: Principal

    async def ask(self, source: str, **variables: Any) -> Any:
        """The answer's data; None where the database itself refused."""
        try:
            answer = await self.planner.execute(
                source, None, variables, self.caller, allow_mutation=False, run_mutation=run_mutation
            )
        except asyncpg.InsufficientPrivilegeError:
            return None
        assert answer.errors == [], answer.errors
        return orjson.loads(dumps(answer.data))

    def reaches(self, table: Table) -> str:
        """SQL of what the caller may see of a table, row ``t``."""
        if table.name in SHARED_WITH_TENANTS:
            return "true"
        if self.caller is TENANT:
            return partner_predicate(table, "t", f"{OWN}::bigint") or "false"
        column = scope_column(table)
        parts = [f"t.{column} = {OWN}"] if column else []
        if table.name in GRANTEE_OWN:
            parts.append(GRANTEE_OWN[table.name].format(row="t", me=GRANTEE.user_id))
        return " OR ".join(parts) or "false"


@pytest.fixture(params=WALLS, ids=lambda case: f"{case[0].kind}, {case[1]}")
async def walls(world: asyncpg.Connection, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Walls:
    """Each kind of caller while only some of the walls stand."""
    # Every list of a partner at once is more than anybody may ask.
    monkeypatch.setenv("KONTORA_QUERY_COST_LIMIT", "1000000")
    get_settings.cache_clear()
    caller, standing = request.param
    if standing == "only the predicate":
        for table in Base.metadata.sorted_tables:
            await world.execute(f"ALTER TABLE {table.name} DISABLE ROW LEVEL SECURITY")
    if standing == "only row-level security":
        monkeypatch.setattr("planner.scope.scope_condition", lambda *_: None)
    return Walls(Planner(schema), caller)


def _selection(type_: GraphQLObjectType) -> str:
    """The id, and the ids of everything that one step leads to."""
    return "__typename id " + " ".join(
        _step(name, field)
        for name, field in type_.fields.items()
        if not any(is_required_argument(argument) for argument in field.args.values())
    )


def _step(name: str, field: GraphQLField) -> str:
    target: Any = get_named_type(field.type)
    if target.name.endswith("Connection"):
        return f"{name}(first: 60) {{ totalCount nodes {{ __typename id }} }}"
    return f"{name} {{ __typename id }}" if target.name in TYPES else ""


def _ids(value: Any) -> Iterator[tuple[str, int]]:
    if isinstance(value, list):
        for item in value:
            yield from _ids(item)
    elif isinstance(value, dict):
        if "id" in value and "__typename" in value:
            name, _, key = base64.b64decode(value["id"]).decode().partition(":")
            yield name, int(key)
        for item in value.values():
            yield from _ids(item)


async def _foreign(owner: asyncpg.Connection, walls: Walls, name: str, keys: set[int]) -> list[int]:
    """The keys of rows that the caller must not see."""
    table = table_of(TYPES[name])
    hidden = f"SELECT id FROM {table.name} t WHERE id = ANY ($1::bigint[]) AND ({walls.reaches(table)}) IS NOT TRUE"
    return [row["id"] for row in await owner.fetch(hidden, list(keys))]


async def test_no_list_and_no_step_from_it_leads_to_others(world: asyncpg.Connection, walls: Walls) -> None:
    seen: dict[str, set[int]] = {}
    for name, field in LISTS.items():
        data = await walls.ask(f"{{ {field}(first: 15) {{ totalCount nodes {{ {_selection(TYPES[name])} }} }} }}")
        for type_name, key in _ids(data):
            seen.setdefault(type_name, set()).add(key)
    for name, keys in seen.items():
        assert await _foreign(world, walls, name, keys) == [], name
    reachable = {name for name, type_ in TYPES.items() if walls.reaches(table_of(type_)) != "false"}
    assert set(seen) == reachable, "the walls hide the caller's own rows, or show what is not"


async def test_no_id_leads_to_others(world: asyncpg.Connection, walls: Walls) -> None:
    for name, type_ in TYPES.items():
        table = table_of(type_)
        keys = {row["id"] for row in await world.fetch(f"SELECT id FROM {table.name} ORDER BY id DESC LIMIT 60")}
        for key in (await _foreign(world, walls, name, keys))[:3]:
            for source in ("query($id: ID!) { node(id: $id) { id } }", "query($id: ID!) { nodes(ids: [$id]) { id } }"):
                data = await walls.ask(source, id=encode_id(name, key))
                assert data in (None, {"node": None}, {"nodes": [None]}), (name, key)


async def test_a_look_at_several_partners_shows_each_only_itself(world: asyncpg.Connection) -> None:
    planner = Planner(schema)
    source = '{ accessLogEntries(filter: { createdFrom: "2020-01-01T00:00:00Z" }) { nodes { partnerIds ip } } }'
    answer = await planner.execute(source, None, {}, TENANT, allow_mutation=False, run_mutation=run_mutation)
    nodes = orjson.loads(dumps(answer.data))["accessLogEntries"]["nodes"]
    assert nodes == [{"partnerIds": ["1"], "ip": None}] * 2
