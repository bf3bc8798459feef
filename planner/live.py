"""Subscriptions: the same plans, run again whenever the field's function says that there is news (ORD-9, PAR-5).

The function of a subscription field is an asynchronous generator of what a query's function returns: values, or the
key of an object. What is selected beneath is read anew each time, so that every answer is as fresh as a query's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

import asyncpg

from core import clock, tracing
from core.database import read_pool_of
from core.errors import KontoraError
from core.principal import Principal
from planner.answer import Answer, told
from planner.context import RunContext, find_reason
from planner.document import coerced
from planner.plan import FunctionCall
from planner.run import MutationRunner, Planner, StatementTimeout
from policies.looking import lacks_reason


async def answers(
    planner: Planner,
    source: str,
    operation_name: str | None,
    variables: dict[str, Any] | None,
    principal: Principal,
    *,
    run_mutation: MutationRunner,
) -> AsyncIterator[Answer]:
    """The answers of an operation: one of a query or mutation, any number of a subscription.

    An answer that did not run is the last. Close the iterator to end a subscription.
    """
    operation = planner.prepare(source, operation_name, principal)
    if isinstance(operation, Answer) or not operation.is_subscription:
        yield await planner.execute(
            source, operation_name, variables, principal, allow_mutation=True, run_mutation=run_mutation
        )
        return
    if tracing.is_on():
        tracing.name_operation("subscription", operation.name)
    if operation.missing is not None:
        yield Answer.refused(told(operation.missing))
        return
    values = coerced(operation, variables)
    if isinstance(values, Answer):
        yield values
        return
    try:
        context = RunContext.of(principal)
        plan = planner.plan(operation, values, context)
        if len(plan.functions) != 1 or len(plan.keys) != 1:
            # GraphQL allows one root field; `__typename` is no source of events.
            raise KontoraError("a subscription asks for one field", code="SUBSCRIPTION_ROOT")
        call = replace(plan.functions[0], variables=values)
        news = call.function(context, **planner.arguments(call.selected, values))
        async with aclosing(cast("AsyncGenerator[Any, None]", news)) as all_news:
            async for value in all_news:
                yield Answer({call.selected.key: await _written(call, value, context)}, cost=plan.cost)
    except KontoraError as error:
        yield Answer.refused(told(error))
    except asyncpg.QueryCanceledError:
        yield Answer.refused(told(StatementTimeout("the query took too long; ask for less")))


async def _written(call: FunctionCall, value: Any, context: RunContext) -> Any:
    if call.payload.looks and lacks_reason(context.principal):
        await find_reason(context)
    # What has just changed may not have reached a replica; and an access grant may have ended since the last answer.
    pool = read_pool_of(context.principal, primary=True)
    return await call.write(value, pool, replace(context, now=clock.now()))
