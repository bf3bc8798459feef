"""Documents: parsed, limited and validated for one permission set, once for all requests that send them again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

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
from graphql.execution.values import VariableValues, get_variable_values

from core.errors import Forbidden, KontoraError
from core.principal import Principal
from planner.answer import Answer, told, told_graphql
from planner.limits import MAX_TOKENS, check_document
from planner.projection import required_permissions
from planner.selection import NO_VARIABLES

MAX_SOURCE_CHARS = 100_000


@dataclass(slots=True)
class Operation:
    """One operation of a document, for one permission set.

    Parameters:
        document_hash: SHA-256 of the document's source.
        length: of the source, in characters.
        permission_key: of the permission set.
        fields: what the document asks for, for the access log.
        missing: the permission that the caller lacks for a field of it.
        introspection: whether it asks for the schema itself.
        mixed: whether it asks for something else besides.
    """

    schema: GraphQLSchema
    node: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    document_hash: str
    length: int
    permission_key: str
    fields: list[str]
    missing: Forbidden | None
    introspection: bool
    mixed: bool

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What tells it from every other operation."""
        return self.document_hash, self.permission_key, self.name

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


def read(schema: GraphQLSchema, source: str, principal: Principal) -> dict[str | None, Operation] | Answer:
    """The operations of a document by their names, or the answer that refuses it."""
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
    errors = validate(schema, document, max_errors=5, allow_empty_selection_sets=False)
    if errors:
        return Answer.refused(*(told_graphql(error, "GRAPHQL_VALIDATION_FAILED") for error in errors))
    return _operations(schema, document, source, principal)


def coerced(operation: Operation, variables: dict[str, Any] | None) -> VariableValues | Answer:
    """The operation's variables as its types take them, or the answer that refuses them."""
    definitions = operation.node.variable_definitions
    if not definitions:
        return NO_VARIABLES
    values = get_variable_values(operation.schema, definitions, variables or {}, max_errors=5)
    if isinstance(values, list):
        return Answer.refused(*(told_graphql(error, "BAD_USER_INPUT") for error in values))
    return values


def introspect(operation: Operation, variables: dict[str, Any] | None) -> Answer:
    """The answer of an operation that asks for the schema itself."""
    definitions = (operation.node, *operation.fragments.values())
    result = execute_sync(operation.schema, DocumentNode(definitions=definitions), variable_values=variables)
    errors = [told_graphql(error, "INTROSPECTION_FAILED") for error in result.errors or ()]
    return Answer(result.data, errors)


def _operations(
    schema: GraphQLSchema, document: DocumentNode, source: str, principal: Principal
) -> dict[str | None, Operation]:
    needed = required_permissions(schema, document)
    lacked = [(name, permission) for name, permission in needed if permission not in principal.permissions | {""}]
    missing = Forbidden(lacked[0][1], lacked[0][0]) if lacked else None
    fragments = {item.name.value: item for item in document.definitions if isinstance(item, FragmentDefinitionNode)}
    document_hash = hashlib.sha256(source.encode()).hexdigest()
    operations = {}
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            operations[node.name.value if node.name else None] = Operation(
                schema,
                node,
                fragments,
                document_hash,
                len(source),
                principal.permission_key,
                [name for name, _ in needed],
                missing,
                *_introspection(_root_names(node, fragments)),
            )
    return operations


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
