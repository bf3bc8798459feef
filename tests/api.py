"""Operations run as the endpoint runs them, without HTTP."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
import strawberry

from core.principal import Principal
from planner.run import Planner
from planner.scalars import schema_config
from planner.write import dumps
from resolvers.catalog import CatalogMutations
from resolvers.installs import InstallMutations
from resolvers.mutation import run_mutation
from resolvers.partners import PartnerMutations
from resolvers.reads import Reads
from tests.factories.world import STAFF


@strawberry.type
class _Mutation(PartnerMutations, CatalogMutations, InstallMutations):
    pass


@cache
def _planner() -> Planner:
    return Planner(strawberry.Schema(Reads, mutation=_Mutation, config=schema_config()))


async def run(source: str, principal: Principal = STAFF, **variables: Any) -> dict[str, Any]:
    """The whole answer, as JSON says it."""
    answer = await _planner().execute(
        source, None, variables, principal, allow_mutation=True, run_mutation=run_mutation
    )
    whole: dict[str, Any] = orjson.loads(dumps({"data": answer.data, "errors": answer.errors}))
    return whole


async def payload(source: str, principal: Principal = STAFF, **variables: Any) -> dict[str, Any]:
    """The one payload of an operation that has no errors."""
    answer = await run(source, principal, **variables)
    assert not answer["errors"], answer["errors"]
    (value,) = answer["data"].values()
    found: dict[str, Any] = value
    return found
