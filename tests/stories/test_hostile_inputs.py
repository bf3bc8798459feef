"""Whatever fits the schema is answered: done, or refused by a typed error; never an unforeseen failure."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core.database import transaction
from core.principal import Principal
from ledger.verify import verify
from models import User
from policies.permissions import ALL
from resolvers.root import schema
from services import demo
from tests.api import run
from tests.stories.hostile import Hostile

PASSWORD = "correct horse battery"
TRIES = 40
# A hash takes a tenth of a second on purpose.
SLOW = {"signIn": 4}


@pytest.fixture
async def superadmin(database_url: str, redis_url: str) -> Principal:
    """Somebody who may do everything, in a world with rows of every kind."""
    async with transaction() as session:
        await demo.seed(session, password=PASSWORD)
        user = (await session.scalars(select(User).where(User.email == "superadmin@demo.test"))).one()
    return Principal(kind="staff", permissions=ALL, roles=("SUPERADMIN",), user_id=user.id, email=user.email)


async def test_no_input_breaks_a_root_field(superadmin: Principal) -> None:
    built = schema._schema
    roots = [("mutation", built.mutation_type), ("query", built.query_type)]
    outcomes: dict[str, set[str]] = {}
    broken: list[str] = []
    for kind, root in roots:
        assert root is not None
        for name, field in root.fields.items():
            hostile = Hostile(built, name)
            for _ in range(SLOW.get(name, TRIES if kind == "mutation" else 6)):
                source, variables = hostile.operation(kind, name, field)
                try:
                    answer = await run(source, superadmin, **variables)
                except Exception as error:  # noqa: BLE001
                    broken.append(f"{name} {variables}: {error!r:.600}")
                    break
                payload = (answer.get("data") or {}).get(name)
                errors = payload.get("userErrors") if isinstance(payload, dict) else None
                codes = {error["extensions"]["code"] for error in answer["errors"] or []}
                outcomes.setdefault(name, set()).update(codes or {error["code"] for error in errors or []} or {"DONE"})
    assert broken == []
    # The inputs must reach further than the front door.
    done = {name for name, seen in outcomes.items() if "DONE" in seen}
    assert len(done) > len(outcomes) / 2, sorted(set(outcomes) - done)
    async with transaction() as session:
        assert await verify(session) == []
