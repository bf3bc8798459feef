"""First phase: what an operation asks for, with fragments, aliases and conditions resolved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
    get_named_type,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues, get_argument_values

from planner.sources import BINDING_KEY, METADATA_KEY, Binding, Source

DEFINITION = "strawberry-definition"
NO_VARIABLES = VariableValues({}, {})


def source_of(graphql_field: GraphQLField) -> Source | None:
    """What a field declares; None for `__typename` and other fields of GraphQL itself."""
    definition = graphql_field.extensions.get(DEFINITION)
    found = definition.metadata.get(METADATA_KEY) if definition is not None else None
    return found if isinstance(found, Source) else None


def binding_of(graphql_type: Any) -> Binding | None:
    """What a type is bound to; None for Relay's helper types."""
    definition = getattr(graphql_type, "extensions", {}).get(DEFINITION)
    found = getattr(definition.origin, BINDING_KEY, None) if definition is not None else None
    return found if isinstance(found, Binding) else None


@dataclass(slots=True)
class Selected:
    """One field of the answer.

    Parameters:
        key: its name in the answer.
        name: its name in the schema; `__typename` has no source.
        parent: the object type it stands on.
        arguments: coerced arguments.
        dynamic: names of the arguments that depend on variables.
    """

    key: str
    name: str
    parent: GraphQLObjectType
    definition: GraphQLField | None
    source: Source | None
    details: list[FieldDetails]
    arguments: dict[str, Any] = field(default_factory=dict)
    dynamic: frozenset[str] = frozenset()

    @property
    def node(self) -> FieldNode:
        """The first place in the document that asks for the field."""
        return self.details[0].node

    @property
    def type(self) -> Any:
        """The named type of its value."""
        assert self.definition is not None
        return get_named_type(self.definition.type)

    @property
    def coordinate(self) -> str:
        """Its schema coordinate, such as `Invoice.total`."""
        return f"{self.parent.name}.{self.name}"


def _has_variable(value: ValueNode) -> bool:
    if isinstance(value, VariableNode):
        return True
    if isinstance(value, ListValueNode):
        return any(_has_variable(item) for item in value.values)
    if isinstance(value, ObjectValueNode):
        return any(_has_variable(item.value) for item in value.fields)
    return False


class Selector:
    """Collects fields of one operation under one set of variable values."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDefinitionNode],
        variables: VariableValues = NO_VARIABLES,
    ) -> None:
        self.schema = schema
        self.operation = operation
        self.variables = variables
        self._fragments = {name: FragmentDetails(node) for name, node in fragments.items()}

    def roots(self) -> list[Selected]:
        """The root fields."""
        root = self.schema.get_root_type(self.operation.operation)
        assert root is not None
        collected = collect_fields(self.schema, self._fragments, self.variables, root, self.operation)
        return list(self._selected(root, collected.grouped_field_set))

    def children(self, selected: Selected, runtime_type: GraphQLObjectType | None = None) -> list[Selected]:
        """The fields asked of a field's value.

        Parameters:
            runtime_type: the object's own type, where the field's type is an interface.
        """
        type_ = runtime_type or selected.type
        collected = collect_subfields(
            self.schema, self._fragments, self.variables, self.operation, type_, selected.details
        )
        return list(self._selected(type_, collected.grouped_field_set))

    def _selected(self, parent: GraphQLObjectType, grouped: dict[str, list[FieldDetails]]) -> Iterator[Selected]:
        for key, details in grouped.items():
            node = details[0].node
            name = node.name.value
            definition = parent.fields.get(name)
            if definition is None:
                yield Selected(key, name, parent, None, None, details)
                continue
            dynamic = frozenset(item.name.value for item in node.arguments or () if _has_variable(item.value))
            arguments = get_argument_values(definition, node, self.variables) if definition.args else {}
            yield Selected(key, name, parent, definition, source_of(definition), details, arguments, dynamic)
