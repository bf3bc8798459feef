"""Our people who look under an access grant reach only the grant's partner by any field of the schema (ACC-5).

What partners' own users reach is walked in `test_tenant_walk` (ACC-4).
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

from core.ids import encode_id
from core.principal import ALL_ROWS, Principal
from core.settings import get_settings
from models import Base
from models.reach import GRANTEE_OWN, SHARED_WITH_TENANTS, scope_column
from planner.run import Planner
from planner.scope import table_of
from planner.selection import binding_of
from planner.write import dumps
from policies.permissions import ALL
from resolvers.mutation import run_mutation
from resolvers.root import planner, schema
from tests.two_tenants import OTHER, OWN, fill

# Has more permissions than the role of support: the walls must hold whatever a custom role gives.
TENANT = Principal(kind="partner", permissions=ALL - {ALL_ROWS}, user_id=OWN, partner_id=OWN)
GRANTEE = Principal(kind="staff", permissions=ALL - {ALL_ROWS}, user_id=5)
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
    """Rows of two partners everywhere, and a grant for one of them in force."""
    await fill(owner)
    await owner.execute(
        f"""
        INSERT INTO users (id, kind, email, full_name, password_hash) OVERRIDING SYSTEM VALUE
            VALUES ({GRANTEE.user_id}, 'STAFF', 'support@demo.test', 'Support', 'x');
        INSERT INTO access_grants (partner_id, partner_name, requested_by_user_id, reason, minutes, status, decided_at,
                expires_at)
            VALUES ({OWN}, 'x', {GRANTEE.user_id}, 'x', 60, 'APPROVED', now(), now() + interval '1 hour');
        """
    )
    return owner


@dataclass(frozen=True)
class Walls:
    """A planner with fresh plans while only some of the walls stand, and who asks it."""

    planner: Planner

    async def ask(self, source: str, **variables: Any) -> Any:
        """The answer's data; None where no grant opens what was asked for. The database need not refuse anything."""
        answer = await self.planner.execute(
            source, None, variables, GRANTEE, allow_mutation=False, run_mutation=run_mutation
        )
        if answer.errors:
            assert [error["message"].rpartition(" ")[2] for error in answer.errors] == [ALL_ROWS], answer.errors
            return None
        return orjson.loads(dumps(answer.data))

    def reaches(self, table: Table) -> str:
        """SQL of what the caller may see of a table, row ``t``."""
        if table.name in SHARED_WITH_TENANTS:
            return "true"
        column = scope_column(table)
        parts = [f"t.{column} = {OWN}"] if column else []
        if table.name in GRANTEE_OWN:
            parts.append(GRANTEE_OWN[table.name].format(row="t", me=GRANTEE.user_id))
        return " OR ".join(parts) or "false"


@pytest.fixture(params=["only the predicate", "only row-level security"])
async def walls(world: asyncpg.Connection, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Walls:
    """Each wall alone."""
    # Every list of a partner at once is more than anybody may ask.
    monkeypatch.setenv("KONTORA_QUERY_COST_LIMIT", "1000000")
    get_settings.cache_clear()
    if request.param == "only the predicate":
        for table in Base.metadata.sorted_tables:
            await world.execute(f"ALTER TABLE {table.name} DISABLE ROW LEVEL SECURITY")
    if request.param == "only row-level security":
        monkeypatch.setattr("planner.scope.scope_condition", lambda *_: None)
    return Walls(Planner(schema))


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


async def test_a_count_of_users_is_held_by_either_wall(walls: Walls, world: asyncpg.Connection) -> None:
    source = "{ roles { nodes { userCount } } }"
    whole = Planner(schema)
    for asks, found in ((GRANTEE, 1), (TENANT, 1), (Principal(kind="staff", permissions=ALL, user_id=5), 2)):
        planner_ = whole if ALL_ROWS in asks.permissions else walls.planner
        answer = await planner_.execute(source, None, {}, asks, allow_mutation=False, run_mutation=run_mutation)
        nodes = orjson.loads(dumps(answer.data))["roles"]["nodes"]
        assert max(node["userCount"] for node in nodes) == found, asks
    logged = "SELECT partner_ids FROM access_log_entries WHERE user_id = 5 AND fields @> '{Role.userCount}'"
    assert [row[0] for row in await world.fetch(logged)] == [[OWN]], "a count is a look at the partner that it counts"


async def test_a_look_at_several_partners_shows_each_only_itself(world: asyncpg.Connection) -> None:
    planner = Planner(schema)
    await world.execute(
        f"""
        WITH log AS (
            INSERT INTO access_log_entries (user_id, document_hash, fields, partner_ids)
            VALUES (1, 'several', '{{}}', '{{{OWN},{OTHER}}}') RETURNING id, partner_ids)
        INSERT INTO access_log_partners (partner_id, entry_id) SELECT unnest(partner_ids), id FROM log
        """
    )
    source = '{ accessLogEntries(filter: { createdFrom: "2020-01-01T00:00:00Z" }) { nodes { partnerIds } } }'
    answer = await planner.execute(source, None, {}, TENANT, allow_mutation=False, run_mutation=run_mutation)
    nodes = orjson.loads(dumps(answer.data))["accessLogEntries"]["nodes"]
    assert nodes == [{"partnerIds": [str(OWN)]}] * 3, "the filler's two, and the one of both partners"
