"""How a mutation runs: one transaction, its idempotency record, one service call, and the payload read in it.

    async def invoice_mark_paid(context: MutationContext, input: InvoiceMarkPaidInput) -> dict[str, Any]:
        \"\"\"Record a payment made outside the gateway (INV-2).\"\"\"
        invoice = await services.billing.mark_invoice_paid(context.session, context.actor, …)
        return {"invoice": invoice.id}

    class BillingMutations:
        invoice_mark_paid: Any = mutation(invoice_mark_paid, InvoiceMarkPaidPayload, requires="invoice:settle")

The function returns a value for each field of its payload, objects as keys of their rows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from core.database import driver_connection, read_pool_of, transaction
from core.errors import UserError
from core.logging import get_logger
from core.out_of_reach import is_out_of_reach
from core.principal import Principal
from planner.binding import function_root
from planner.context import RunContext
from planner.plan import FunctionCall
from planner.write import dumps
from policies.permissions import concerns_partners
from services import idempotency

log = get_logger("mutation")
Hook = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class MutationContext:
    """What a mutation works with.

    Parameters:
        session: the transaction; committed by the runner.
        actor: who asks.
        hooks: what to do after the commit and before the payload is read; failures are logged, for the outbox
            does the same work again.
    """

    session: AsyncSession
    actor: Principal
    hooks: list[Hook] = field(default_factory=list)

    def after_commit(self, hook: Hook) -> None:
        """Do ``hook`` once the transaction has committed, outside of it."""
        self.hooks.append(hook)


class ShownOnce(str):
    """A secret in a payload: answered to the call that made it, never stored, null when the call is repeated."""

    __slots__ = ()


class _RolledBack(Exception):
    """Ends a dry run's transaction; carries its answer."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer


class AccessGrantReadOnly(UserError):
    """A change under an access grant, which is for reading (ACC-5)."""

    code = "ACCESS_GRANT_READ_ONLY"


_as_application: set[Callable[..., Any]] = set()
_under_grant: set[Callable[..., Any]] = set()


def mutation(
    function: Callable[..., Any],
    payload: Any,
    *,
    requires: str,
    as_application: bool = False,
    under_grant: bool = False,
) -> Any:
    """The schema field of a mutation.

    Parameters:
        payload: the payload type, made with `planner.binding.plain`.
        requires: the permission; an empty string lets everybody in.
        as_application: whether it runs beyond the caller's row-level security, as signing in must.
        under_grant: whether it may be done at a partner under an access grant, which is for reading otherwise.
    """
    if under_grant:
        _under_grant.add(function)
    if as_application:
        _as_application.add(function)
    return function_root(function, payload, requires=requires)


async def run_mutation(call: FunctionCall, arguments: dict[str, Any], context: RunContext) -> Any:
    """Run one mutation field and give the value of its payload."""
    given = arguments.get("input")
    try:
        beyond = call.function in _as_application
        if context.principal.needs_grant:
            beyond = _beyond_grant(call)
        async with transaction(context.principal, as_application=beyond) as session:
            working = MutationContext(session, context.principal)
            values = await _once(call, arguments, given, working)
            context = replace(context, looked=sorted(context.looked))
            connection = await driver_connection(session)
            if getattr(given, "dry_run", False):
                await session.flush()
                raise _RolledBack(await call.write(values, connection, context))
            if not working.hooks:
                await session.flush()
                return await call.write(values, connection, context)
    except _RolledBack as dry:
        # What was rolled back was seen nevertheless.
        await call.log(read_pool_of(context.principal, primary=True), context)
        return dry.answer
    except UserError as error:
        entry = {"code": error.code, "message": error.message, "field": list(error.field) if error.field else None}
        return call.refused({"user_errors": [entry]})
    for hook in working.hooks:
        try:
            await hook()
        except Exception as error:
            if is_out_of_reach(error):
                raise
            log.exception("after_commit_failed", mutation=call.name)
    return await call.write(values, read_pool_of(context.principal, primary=True), context)


def _beyond_grant(call: FunctionCall) -> bool:
    """Whether a mutation of someone who needs access grants runs as the application: where it concerns no partner.

    Raises:
        AccessGrantReadOnly: it would change what is a partner's.
    """
    source = call.selected.source
    permission = "" if source is None or source.requires is None else source.requires
    if call.function in _under_grant:
        return False
    if permission and concerns_partners(permission):
        raise AccessGrantReadOnly("an access grant lets you look, and write notes; it changes nothing else")
    return True


async def _once(call: FunctionCall, arguments: dict[str, Any], given: Any, working: MutationContext) -> dict[str, Any]:
    key = getattr(given, "idempotency_key", None)
    if key is None or getattr(given, "dry_run", False):
        return {"user_errors": [], **await call.function(working, **arguments)}
    record, is_new = await idempotency.claim(
        working.session,
        working.actor,
        key=key,
        mutation=call.name,
        hashed_input=idempotency.input_hash(asdict(given)),
    )
    if not is_new and record.result is not None:
        return dict(record.result)
    values = {"user_errors": [], **await call.function(working, **arguments)}
    told = {name: None if isinstance(value, ShownOnce) else value for name, value in values.items()}
    # As JSON says it, so that moments are told again as they were.
    record.result = orjson.loads(dumps(told))
    return values
