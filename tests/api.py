"""Operations run as the endpoint runs them, without HTTP; a mutation that wrote anything must have told the trail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from sqlalchemy import event
from sqlalchemy.orm import Session

from core.principal import Principal
from planner.context import RunContext
from planner.plan import FunctionCall
from planner.write import dumps
from resolvers.mutation import run_mutation
from resolvers.root import planner
from services import access
from tests.factories.world import STAFF

# What serves the request itself, and is no change of the business.
UNTOLD = frozenset({"IdempotencyRecord"})
# Whether there is somebody to write to, a worker finds out; the answer must not tell it.
TOLD_LATER: dict[str, Callable[..., Any]] = {"passwordResetRequest": access.prepare_password_reset}
_WRITTEN = "written"
_committed: list[set[str]] = []


async def run(source: str, principal: Principal = STAFF, **variables: Any) -> dict[str, Any]:
    """The whole answer, as JSON says it."""
    answer = await planner.execute(source, None, variables, principal, allow_mutation=True, run_mutation=_told)
    whole: dict[str, Any] = orjson.loads(dumps({"data": answer.data, "errors": answer.errors}))
    return whole


async def payload(source: str, principal: Principal = STAFF, **variables: Any) -> dict[str, Any]:
    """The one payload of an operation that has no errors."""
    answer = await run(source, principal, **variables)
    assert not answer["errors"], answer["errors"]
    (value,) = answer["data"].values()
    found: dict[str, Any] = value
    return found


async def _told(call: FunctionCall, arguments: dict[str, Any], context: RunContext) -> Any:
    """Run the mutation, and see that what it committed is in the audit trail (ACC-6)."""
    before = len(_committed)
    answer = await run_mutation(call, arguments, context)
    for written in _committed[before : before + 1]:
        if call.name in TOLD_LATER:
            assert written <= {"OutboxMessage"}
            continue
        assert not written - UNTOLD or "AuditEvent" in written, f"{call.name} wrote {sorted(written)} and told nobody"
    return answer


@event.listens_for(Session, "after_flush")
def _flushed(session: Session, _context: Any) -> None:
    changed = (row for row in session.dirty if session.is_modified(row))
    written = session.info.setdefault(_WRITTEN, set())
    written |= {type(row).__name__ for row in (*session.new, *changed, *session.deleted)}


@event.listens_for(Session, "after_commit")
def _after_commit(session: Session) -> None:
    _committed.append(session.info.pop(_WRITTEN, set()))
