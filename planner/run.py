"""Last phase: an operation is read and planned once, kept, and run in one round trip."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import strawberry
from graphql import GraphQLArgument, GraphQLScalarType, GraphQLSchema, get_nullable_type
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.types.arguments import StrawberryArgument, convert_argument

from core import tracing
from core.database import read_pool_of
from core.errors import KontoraError
from core.looks import gathered
from core.principal import Principal
from planner.answer import Answer, told
from planner.binds import fill, refuse_nul
from planner.context import LOGGED_KIND, RunContext, find_reason
from planner.document import Operation, coerced, introspect, read
from planner.kept import Kept
from planner.plan import FunctionCall, Plan
from planner.planning import plan_of, shape_of
from planner.projection import project
from planner.selection import DEFINITION, Selected
from policies.looking import lacks_reason

# Characters of source: a document takes up to 200 bytes for each, a plan up to 100.
KEPT_DOCUMENT_CHARS = 1_000_000
KEPT_PLAN_CHARS = 2_000_000
# What even the shortest of them takes.
LEAST_CHARS = 500
KEPT_SCHEMAS = 100
MutationRunner = Callable[[FunctionCall, dict[str, Any], RunContext], Awaitable[Any]]


class StatementTimeout(KontoraError):
    """Reading took longer than the statement timeout; ask for less."""

    code = "TIMEOUT"


class Planner:
    """Runs operations of one schema.

    Parameters:
        schema: the Strawberry schema, built from the declarations of `planner.binding`.
        logs_looks: write down what our staff look at; off only where the price of that is measured.
    """

    def __init__(self, schema: strawberry.Schema, *, logs_looks: bool = True) -> None:
        self.logs_looks = logs_looks
        self.strawberry = schema
        self.schema: GraphQLSchema = schema._schema
        self._schemas: Kept[str, GraphQLSchema] = Kept(KEPT_SCHEMAS)
        self._documents: Kept[Any, dict[str | None, Operation] | Answer] = Kept(KEPT_DOCUMENT_CHARS)
        self._plans: Kept[Any, Plan] = Kept(KEPT_PLAN_CHARS)

    def schema_for(self, principal: Principal) -> GraphQLSchema:
        """The schema as the principal sees it: whole for staff, projected for partners and strangers."""
        if not principal.sees_projected_schema:
            return self.schema
        key = principal.permission_key
        return self._schemas.get(key) or self._schemas.put(key, project(self.schema, principal.permissions))

    def prepare(self, source: str, operation_name: str | None, principal: Principal) -> Operation | Answer:
        """The operation to run, or the answer that refuses it."""
        key = (source, principal.permission_key)
        operations = self._documents.get(key)
        if operations is None:
            made = read(self.schema_for(principal), source, principal)
            operations = self._documents.put(key, made, weight=len(source) + LEAST_CHARS)
        if isinstance(operations, Answer):
            return operations
        if operation_name is None and len(operations) == 1:
            return next(iter(operations.values()))
        found = operations.get(operation_name)
        if found is None:
            told_name = f"the document has no operation {operation_name!r}" if operation_name else "name an operation"
            return Answer.refused(told(KontoraError(told_name, code="UNKNOWN_OPERATION")))
        return found

    def plan(self, operation: Operation, values: VariableValues, context: RunContext) -> Plan:
        """How to run an operation with variables of this shape.

        Raises:
            CostTooHigh: it costs more than is allowed.
        """
        key = (operation.key, shape_of(values.coerced), context.principal.kind)
        plan = self._plans.get(key)
        if plan is None:
            logged = self.logs_looks and context.principal.kind == LOGGED_KIND
            made = plan_of(operation, values, context, logged=logged)
            plan = self._plans.put(key, made, weight=operation.length + LEAST_CHARS)
        return plan

    async def execute(
        self,
        source: str,
        operation_name: str | None,
        variables: dict[str, Any] | None,
        principal: Principal,
        *,
        allow_mutation: bool,
        run_mutation: MutationRunner,
    ) -> Answer:
        """Run an operation and give its answer; expected failures are in the answer, unexpected ones are raised."""
        operation = self.prepare(source, operation_name, principal)
        if isinstance(operation, Answer):
            return operation
        if tracing.is_on():
            tracing.name_operation(operation.node.operation.value, operation.name)
        refusal = _refusal(operation, allow_mutation=allow_mutation)
        if refusal is not None:
            return Answer.refused(told(refusal))
        if operation.introspection:
            return introspect(operation, variables)
        values = coerced(operation, variables)
        if isinstance(values, Answer):
            return values
        try:
            context = RunContext.of(principal)
            plan = self.plan(operation, values, context)
            if operation.is_mutation:
                return await self._mutate(plan, values, context, run_mutation)
            return await self._query(plan, values, context)
        except KontoraError as error:
            return Answer.refused(told(error))
        except asyncpg.QueryCanceledError:
            return Answer.refused(told(StatementTimeout("the query took too long; ask for less")))

    async def _query(self, plan: Plan, values: VariableValues, context: RunContext) -> Answer:
        statement = plan.statement
        data: dict[str, Any] = {}
        if plan.looks and lacks_reason(context.principal):
            await find_reason(context)
        if statement is not None:
            pool = read_pool_of(context.principal)
            data = statement.write(await pool.fetch(statement.sql, *fill(statement.slots, values, context)))
            if not plan.functions and not plan.constants:
                return Answer(data, cost=plan.cost)
        data.update(plan.constants)
        by_key = read_pool_of(context.principal, by_index=True)
        for call in plan.functions:
            bound = replace(call, variables=values)
            with gathered() as looked:
                answer = await call.function(context, **self.arguments(call.selected, values))
            if (looked or bound.payload.looks) and lacks_reason(context.principal):
                await find_reason(context)
            data[call.selected.key] = await bound.write(answer, by_key, replace(context, looked=sorted(looked)))
        return Answer({key: data[key] for key in plan.keys}, cost=plan.cost)

    async def _mutate(
        self, plan: Plan, values: VariableValues, context: RunContext, run_mutation: MutationRunner
    ) -> Answer:
        data: dict[str, Any] = dict(plan.constants)
        # All arguments are judged before anything is changed.
        calls = [(replace(call, variables=values), self.arguments(call.selected, values)) for call in plan.functions]
        for call, arguments in calls:
            with gathered() as looked:
                data[call.selected.key] = await run_mutation(call, arguments, replace(context, looked=looked))
        return Answer({key: data[key] for key in plan.keys}, cost=plan.cost)

    def arguments(self, selected: Selected, values: VariableValues) -> dict[str, Any]:
        """The arguments of a function, as Python values and input objects."""
        assert selected.definition is not None
        given = get_argument_values(selected.definition, selected.node, values)
        refuse_nul(given)
        return {
            selected.definition.args[name].extensions[DEFINITION].python_name: self._argument(
                name, value, selected.definition.args[name]
            )
            for name, value in given.items()
        }

    def _argument(self, name: str, value: Any, declared: GraphQLArgument) -> Any:
        argument: StrawberryArgument = declared.extensions[DEFINITION]
        # A scalar is a Python value already, unless it must say whether it was given at all.
        if isinstance(get_nullable_type(declared.type), GraphQLScalarType) and not argument.is_maybe:
            return value
        registry = self.strawberry.schema_converter.scalar_registry
        return convert_argument(value, argument.type, registry, self.strawberry.config, path=(name,))


def _refusal(operation: Operation, *, allow_mutation: bool) -> KontoraError | None:
    """Why an operation is not run at all, whatever its variables are."""
    if operation.is_mutation and not allow_mutation:
        return KontoraError("mutations are sent by POST", code="MUTATION_BY_GET")
    if operation.is_subscription:
        message = "subscriptions are served over WebSocket, by the protocol graphql-transport-ws"
        return KontoraError(message, code="SUBSCRIPTION_BY_HTTP")
    if operation.missing is not None:
        return operation.missing
    if operation.mixed:
        message = "ask for `__schema` and `__type` in an operation of their own"
        return KontoraError(message, code="MIXED_INTROSPECTION")
    return None
