"""Fourth phase: an operation becomes a plan, good for all variables of the same shape."""

from __future__ import annotations

import enum
from typing import Any

from graphql.execution.values import VariableValues

from core.ids import InvalidId, decode_id
from core.settings import get_settings
from planner.compile import Draft, compile_roots
from planner.context import RunContext
from planner.document import Operation
from planner.limits import CostTooHigh, cost_of
from planner.payload import compile_payload
from planner.plan import FunctionCall, Plan
from planner.scope import Scope
from planner.selection import Selector
from planner.sources import RootFunction


def plan_of(operation: Operation, values: VariableValues, context: RunContext, *, logged: bool) -> Plan:
    """How to run an operation with variables of this shape.

    Parameters:
        logged: whether looks at partners' rows are written down.

    Raises:
        CostTooHigh: it costs more than is allowed.
    """
    cost = cost_of(operation.schema, operation.node, operation.fragments, values.coerced)
    limit = get_settings().query_cost_limit
    if cost > limit:
        raise CostTooHigh(f"the operation costs {cost}; at most {limit} is allowed: ask for smaller pages")
    selector = Selector(operation.schema, operation.node, operation.fragments, values)
    roots = selector.roots()
    functions, tables, constants = [], [], {}
    for selected in roots:
        if isinstance(selected.source, RootFunction) and selected.source.function is not None:
            draft = _draft(operation, selector, context, logged=logged)
            functions.append(FunctionCall(selected, selected.source.function, compile_payload(draft, selected)))
        elif selected.name == "__typename":
            constants[selected.key] = selected.parent.name
        else:
            tables.append(selected)
    statement, looks = None, False
    if tables:
        draft = _draft(operation, selector, context, logged=logged)
        statement = compile_roots(draft, operation.schema, tables)
        looks = bool(draft.scope.tables)
    return Plan(cost, statement, functions, [selected.key for selected in roots], constants, looks)


def _draft(operation: Operation, selector: Selector, context: RunContext, *, logged: bool) -> Draft:
    scope = Scope(selector, context.principal)
    return Draft(scope, operation.document_hash, operation.name, operation.fields, logged)


def shape_of(value: Any) -> Any:
    """What of a variable's value a plan depends on: presence, switches, sizes, enum members, types of ids."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, str):
        return _type_of_id(value)
    if isinstance(value, dict):
        return tuple((name, shape_of(item)) for name, item in value.items())
    if isinstance(value, list):
        return tuple(shape_of(item) for item in value)
    return "value"


def _type_of_id(value: str) -> str:
    try:
        return decode_id(value)[0]
    except InvalidId:
        return "text"
