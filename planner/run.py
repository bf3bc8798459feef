"""Last phase: an operation is prepared once, kept, and run in one round trip."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import asyncpg
import strawberry
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    execute_sync,
    parse,
    validate,
)
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from strawberry.types.arguments import convert_arguments

from core import tracing
from core.database import read_pool_of
from core.errors import Forbidden, KontoraError
from core.ids import InvalidId, decode_id
from core.looks import gathered
from core.principal import Principal
from core.settings import get_settings
from planner.answer import Answer, told, told_graphql
from planner.binds import fill, refuse_nul
from planner.compile import Draft, Statement, compile_roots
from planner.context import LOGGED_KIND, find_reason
from planner.context import RunContext as RunContext
from planner.limits import MAX_TOKENS, CostTooHigh, check_document, cost_of
from planner.payload import KeySlot, PayloadPlan, compile_payload
from planner.projection import project, required_permissions
from planner.scope import Scope
from planner.selection import DEFINITION, NO_VARIABLES, Selected, Selector
from planner.sources import RootFunction
from policies.looking import lacks_reason

KEPT_DOCUMENTS = 1_000
KEPT_PLANS = 100
KEPT_SCHEMAS = 100
MAX_SOURCE_CHARS = 100_000
K = TypeVar("K")
V = TypeVar("V")


class StatementTimeout(KontoraError):
    """Reading took longer than the statement timeout; ask for less."""

    code = "TIMEOUT"


class _Kept(Generic[K, V]):
    """A bounded cache that forgets what was not used for longest."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.items: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        found = self.items.get(key)
        if found is not None:
            self.items.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> V:
        self.items[key] = value
        if len(self.items) > self.size:
            self.items.popitem(last=False)
        return value


@dataclass(slots=True)
class Operation:
    """One operation of a document, for one permission set."""

    schema: GraphQLSchema
    node: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    document_hash: str
    fields: list[str]
    missing: Forbidden | None
    introspection: bool
    mixed: bool
    plans: _Kept[Any, Plan] = field(default_factory=lambda: _Kept(KEPT_PLANS))

    @property
    def name(self) -> str | None:
        """Its name, if it has one."""
        return self.node.name.value if self.node.name else None

    @property
    def is_mutation(self) -> bool:
        """Whether it changes something."""
        return self.node.operation is OperationType.MUTATION

    @property
    def is_subscription(self) -> bool:
        """Whether it is answered again and again."""
        return self.node.operation is OperationType.SUBSCRIPTION


@dataclass(slots=True)
class Plan:
    """How an operation is run: one statement over the tables, and functions.

    Parameters:
        looks: whether the statement reads rows of partners.
    """

    cost: int
    statement: Statement | None
    functions: list[FunctionCall]
    keys: list[str]
    constants: dict[str, Any]
    looks: bool


@dataclass(slots=True)
class FunctionCall:
    """A root field answered by a function, with everything that is needed to run it and to write its answer."""

    selected: Selected
    function: Callable[..., Awaitable[Any]]
    payload: PayloadPlan
    variables: VariableValues = NO_VARIABLES

    @property
    def name(self) -> str:
        """Name of the root field."""
        return self.selected.name

    async def write(self, values: Any, connection: Any, context: RunContext) -> Any:
        """The answer's value: the function's values, and the objects that they name, read through ``connection``.

        What was looked at, by the function and by reading the objects, is in the access log then.
        """
        statement = self.payload.statement
        if statement is None:
            await self.log(connection, context)
            return self.payload.write(values, [])
        keys = self.payload.keys_of(values)
        slots = [keys[slot.index] if isinstance(slot, KeySlot) else slot for slot in statement.slots]
        rows = await connection.fetch(statement.sql, *fill(slots, self.variables, context))
        return self.payload.write(values, statement.write(rows))

    async def log(self, connection: Any, context: RunContext) -> None:
        """Write down the partners whose rows the function has loaded, where there are any."""
        log = self.payload.log
        if log is not None and context.looked:
            await connection.fetch(log.sql, *fill(log.slots, self.variables, context))

    def refused(self, values: Any) -> Any:
        """The answer's value where nothing happened: plain values only, every object null."""
        return self.payload.write(values, [None] * len(self.payload.paths))


MutationRunner = Callable[[FunctionCall, dict[str, Any], RunContext], Awaitable[Any]]


class Planner:
    """Runs operations of one schema.

    Parameters:
        schema: the Strawberry schema, built from the declarations of `planner.binding`.
    """

    def __init__(self, schema: strawberry.Schema) -> None:
        self.strawberry = schema
        self.schema: GraphQLSchema = schema._schema
        self._schemas: _Kept[str, GraphQLSchema] = _Kept(KEPT_SCHEMAS)
        self._documents: _Kept[Any, dict[str | None, Operation] | Answer] = _Kept(KEPT_DOCUMENTS)

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
            operations = self._documents.put(key, self._read(source, principal))
        if isinstance(operations, Answer):
            return operations
        if operation_name is None and len(operations) == 1:
            return next(iter(operations.values()))
        found = operations.get(operation_name)
        if found is None:
            told_name = f"the document has no operation {operation_name!r}" if operation_name else "name an operation"
            return Answer.refused(told(KontoraError(told_name, code="UNKNOWN_OPERATION")))
        return found

    def _read(self, source: str, principal: Principal) -> dict[str | None, Operation] | Answer:
        try:
            document = parse(
                source,
                max_tokens=MAX_TOKENS,
                max_source_length=MAX_SOURCE_CHARS,
                allow_empty_selection_sets=False,
            )
            check_document(document)
        except GraphQLSyntaxError as error:
            return Answer.refused(told_graphql(error, "GRAPHQL_PARSE_FAILED"))
        except KontoraError as error:
            return Answer.refused(told(error))
        schema = self.schema_for(principal)
        errors = validate(schema, document, max_errors=5, allow_empty_selection_sets=False)
        if errors:
            return Answer.refused(*(told_graphql(error, "GRAPHQL_VALIDATION_FAILED") for error in errors))
        return self._operations(schema, document, hashlib.sha256(source.encode()).hexdigest(), principal)

    def _operations(
        self, schema: GraphQLSchema, document: DocumentNode, document_hash: str, principal: Principal
    ) -> dict[str | None, Operation]:
        needed = required_permissions(schema, document)
        lacked = [(name, permission) for name, permission in needed if permission not in principal.permissions | {""}]
        missing = Forbidden(lacked[0][1], lacked[0][0]) if lacked else None
        fragments = {item.name.value: item for item in document.definitions if isinstance(item, FragmentDefinitionNode)}
        operations = {}
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                operations[node.name.value if node.name else None] = Operation(
                    schema,
                    node,
                    fragments,
                    document_hash,
                    [name for name, _ in needed],
                    missing,
                    *_introspection(_root_names(node, fragments)),
                )
        return operations

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
        if operation.is_mutation and not allow_mutation:
            error = KontoraError("mutations are sent by POST", code="MUTATION_BY_GET")
            return Answer.refused(told(error))
        if operation.is_subscription:
            message = "subscriptions are served over WebSocket, by the protocol graphql-transport-ws"
            return Answer.refused(told(KontoraError(message, code="SUBSCRIPTION_BY_HTTP")))
        if operation.missing is not None:
            return Answer.refused(told(operation.missing))
        if operation.introspection:
            if operation.mixed:
                message = "ask for `__schema` and `__type` in an operation of their own"
                return Answer.refused(told(KontoraError(message, code="MIXED_INTROSPECTION")))
            return self._introspect(operation, variables)
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

    def plan(self, operation: Operation, values: VariableValues, context: RunContext) -> Plan:
        """How to run an operation with variables of this shape.

        Raises:
            CostTooHigh: it costs more than is allowed.
        """
        key = (_shape(values.coerced), context.principal.kind)
        plan = operation.plans.get(key)
        if plan is not None:
            return plan
        cost = cost_of(operation.schema, operation.node, operation.fragments, values.coerced)
        limit = get_settings().query_cost_limit
        if cost > limit:
            raise CostTooHigh(f"the operation costs {cost}; at most {limit} is allowed: ask for smaller pages")
        selector = Selector(operation.schema, operation.node, operation.fragments, values)
        roots = selector.roots()
        functions, tables, constants = [], [], {}
        for selected in roots:
            if isinstance(selected.source, RootFunction) and selected.source.function is not None:
                draft = self._draft(operation, selector, context)
                functions.append(FunctionCall(selected, selected.source.function, compile_payload(draft, selected)))
            elif selected.name == "__typename":
                constants[selected.key] = selected.parent.name
            else:
                tables.append(selected)
        statement, looks = None, False
        if tables:
            draft = self._draft(operation, selector, context)
            statement = compile_roots(draft, operation.schema, tables)
            looks = bool(draft.scope.tables)
        plan = Plan(cost, statement, functions, [selected.key for selected in roots], constants, looks)
        return operation.plans.put(key, plan)

    def _draft(self, operation: Operation, selector: Selector, context: RunContext) -> Draft:
        scope = Scope(selector, context.principal)
        logged = context.principal.kind == LOGGED_KIND
        return Draft(scope, operation.document_hash, operation.name, operation.fields, logged)

    async def _query(self, plan: Plan, values: VariableValues, context: RunContext) -> Answer:
        pool = read_pool_of(context.principal)
        statement = plan.statement
        data: dict[str, Any] = {}
        if plan.looks and lacks_reason(context.principal):
            await find_reason(context)
        if statement is not None:
            data = statement.write(await pool.fetch(statement.sql, *fill(statement.slots, values, context)))
            if not plan.functions and not plan.constants:
                return Answer(data, cost=plan.cost)
        data.update(plan.constants)
        for call in plan.functions:
            bound = replace(call, variables=values)
            with gathered() as looked:
                answer = await call.function(context, **self.arguments(call.selected, values))
            if (looked or bound.payload.looks) and lacks_reason(context.principal):
                await find_reason(context)
            data[call.selected.key] = await bound.write(answer, pool, replace(context, looked=sorted(looked)))
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
        declared = selected.definition.extensions[DEFINITION].arguments
        registry = self.strawberry.schema_converter.scalar_registry
        return convert_arguments(given, declared, registry, self.strawberry.config)

    def _introspect(self, operation: Operation, variables: dict[str, Any] | None) -> Answer:
        definitions = (operation.node, *operation.fragments.values())
        result = execute_sync(operation.schema, DocumentNode(definitions=definitions), variable_values=variables)
        errors = [told_graphql(error, "INTROSPECTION_FAILED") for error in result.errors or ()]
        return Answer(result.data, errors)


def coerced(operation: Operation, variables: dict[str, Any] | None) -> VariableValues | Answer:
    """The operation's variables as its types take them, or the answer that refuses them."""
    definitions = operation.node.variable_definitions
    if not definitions:
        return NO_VARIABLES
    values = get_variable_values(operation.schema, definitions, variables or {}, max_errors=5)
    if isinstance(values, list):
        return Answer.refused(*(told_graphql(error, "BAD_USER_INPUT") for error in values))
    return values


def _introspection(names: list[str]) -> tuple[bool, bool]:
    """Whether the schema itself is asked for, and whether something else is too."""
    about_schema = [name in ("__schema", "__type") for name in names]
    return any(about_schema), any(about_schema) and not all(
        asked or name == "__typename" for asked, name in zip(about_schema, names, strict=True)
    )


def _root_names(node: OperationDefinitionNode, fragments: dict[str, FragmentDefinitionNode]) -> list[str]:
    names: list[str] = []
    pending: list[Any] = [node.selection_set]
    seen = set()
    while pending:
        for selection in pending.pop().selections:
            if hasattr(selection, "type_condition"):
                pending.append(selection.selection_set)
            elif selection.kind == "fragment_spread":
                if selection.name.value not in seen:
                    seen.add(selection.name.value)
                    pending.append(fragments[selection.name.value].selection_set)
            else:
                names.append(selection.name.value)
    return names


def _shape(value: Any) -> Any:
    """What of a variable's value a plan depends on: presence, switches, sizes, enum members, types of ids."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return _type_of_id(value)
    if isinstance(value, dict):
        return tuple((name, _shape(item)) for name, item in value.items())
    if isinstance(value, list):
        return tuple(_shape(item) for item in value)
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else "value"


def _type_of_id(value: str) -> str:
    try:
        return decode_id(value)[0]
    except InvalidId:
        return "text"
