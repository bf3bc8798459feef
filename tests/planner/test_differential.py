"""Compiled answers equal executed ones, for random operations and several roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import orjson
import pytest
import strawberry
from graphql import GraphQLSchema, parse, validate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.principal import Principal
from planner.projection import project
from planner.run import Planner
from planner.scalars import schema_config
from planner.write import dumps
from policies.permissions import ALL
from policies.roles import ROLES
from resolvers.reads import Reads
from schema.timeline import TIMELINE_TYPES
from tests.planner.operations import Operation, operations
from tests.planner.reference import Reference
from tests.planner.world import build

SCHEMA = strawberry.Schema(Reads, types=TIMELINE_TYPES, config=schema_config())
PLANNER = Planner(SCHEMA)
CALLERS = [
    Principal(kind="staff", permissions=ALL, user_id=1),
    Principal(kind="staff", permissions=ROLES["BILLING"][1], user_id=1),
    Principal(kind="partner", permissions=ROLES["PARTNER_OWNER"][1], user_id=2, partner_id=1),
    Principal(kind="partner", permissions=ROLES["PARTNER_MEMBER"][1], user_id=2, partner_id=2),
]
SCHEMAS: dict[int, GraphQLSchema] = {
    index: project(SCHEMA._schema, caller.permissions) for index, caller in enumerate(CALLERS)
}


@st.composite
def asked(draw: Any, roots: Sequence[str] = ()) -> tuple[Principal, Operation]:
    """A caller with an operation over what it may see."""
    index = draw(st.integers(0, len(CALLERS) - 1))
    return CALLERS[index], draw(operations(SCHEMAS[index], roots))


@pytest.fixture
async def world(owner: asyncpg.Connection) -> asyncpg.Connection:
    await build(owner)
    return owner


async def no_mutation(*_: Any) -> Any:
    raise AssertionError("nothing here changes anything")


FEW, MANY = (
    settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    for examples in (40, 150)
)


@MANY
@given(case=asked())
async def test_compiled_equals_executed(world: asyncpg.Connection, case: tuple[Principal, Operation]) -> None:
    await compare(world, *case)


@FEW
@given(case=asked(["partnerTimeline"]))
async def test_merged_connections_equal_executed_ones(
    world: asyncpg.Connection, case: tuple[Principal, Operation]
) -> None:
    await compare(world, *case)


async def compare(world: asyncpg.Connection, caller: Principal, operation: Operation) -> None:
    """Run the operation in both ways."""
    source, variables = operation.source, operation.variables
    document = parse(source)
    assert not validate(PLANNER.schema_for(caller), document), source
    # First, for the compiled one may write down that it looked.
    result = await Reference(SCHEMA, world, caller).execute(source, variables)
    answer = await PLANNER.execute(source, None, variables, caller, allow_mutation=False, run_mutation=no_mutation)
    if result.errors:
        # A refusal of the whole: a page, cursor or id that cannot be right.
        assert answer.errors, (source, variables, result.errors)
        return
    if answer.errors and answer.errors[0]["extensions"]["code"] == "COST_TOO_HIGH":
        return
    assert not answer.errors, (source, variables, answer.errors)
    compiled = orjson.loads(dumps(answer.data))
    assert compiled == orjson.loads(orjson.dumps(result.data)), (source, variables)
