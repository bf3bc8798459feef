"""Operations run as the endpoint runs them, without HTTP."""

from __future__ import annotations

from typing import Any

import orjson

from core.principal import Principal
from planner.write import dumps
from resolvers.mutation import run_mutation
from resolvers.root import planner
from tests.factories.world import STAFF


async def run(source: str, principal: Principal = STAFF, **variables: Any) -> dict[str, Any]:
    """The whole answer, as JSON says it."""
    answer = await planner.execute(source, None, variables, principal, allow_mutation=True, run_mutation=run_mutation)
    whole: dict[str, Any] = orjson.loads(dumps({"data": answer.data, "errors": answer.errors}))
    return whole


async def payload(source: str, principal: Principal = STAFF, **variables: Any) -> dict[str, Any]:
    """The one payload of an operation that has no errors."""
    answer = await run(source, principal, **variables)
    assert not answer["errors"], answer["errors"]
    (value,) = answer["data"].values()
    found: dict[str, Any] = value
    return found
