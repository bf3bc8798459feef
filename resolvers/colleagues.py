"""The door to the names of our own people (PAR-1, ONB-1)."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from core.database import transaction
from core.ids import encode_id
from planner.binding import function_root
from planner.context import RunContext
from schema.colleagues import READ, Colleague
from services import colleagues


async def colleagues_(
    context: RunContext,
    query: Annotated[str | None, strawberry.argument(description="A part of the name.")] = None,
) -> list[dict[str, Any]]:
    """Our own people who may sign in, by name, at most 100: whom partners and onboardings can be given to."""
    async with transaction() as session:
        found = await colleagues.colleagues(session, context.principal, query=query)
    return [{"user_id": encode_id("User", user.id), "name": user.full_name} for user in found]


@strawberry.type(description="Queries of our own people.")
class ColleagueQueries:
    """Queries of our own people."""

    colleagues: Any = function_root(colleagues_, list[Colleague], requires=READ)
