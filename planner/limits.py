"""Limits on documents, judged in time linear in the document: every fragment is measured once (API-3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from core.errors import KontoraError
from planner.binding import DEFAULT_PAGE, MAX_PAGE
from planner.selection import source_of
from planner.sources import Merged, RootConnection, RootNode, ToList, ToMany

MAX_TOKENS = 4_000
MAX_DEPTH = 18
MAX_FIELDS = 1_500
MAX_ROOT_FIELDS = 30
MAX_SAME_KEY = 30
MAX_DIRECTIVES = 200
LIST_SIZE = 10


class DocumentTooLarge(KontoraError):
    """The document goes beyond a limit; the message names the limit and the measure."""

    code = "DOCUMENT_TOO_LARGE"


class CostTooHigh(KontoraError):
    """The operation could read too much; the message tells its cost and the limit."""

    code = "COST_TOO_HIGH"


@dataclass(frozen=True, slots=True)
class _Measure:
    fields: int
    depth: int


def check_document(document: DocumentNode) -> None:
    """Refuse a document that is too deep, too wide or built to explode.

    Runs before validation, whose rules compare fields pairwise and follow fragments again and again.

    Raises:
        DocumentTooLarge: a limit is passed, or fragments spread each other in a circle.
    """
    fragments = {item.name.value: item for item in document.definitions if isinstance(item, FragmentDefinitionNode)}
    meter = _Meter(fragments)
    for item in document.definitions:
        if isinstance(item, (OperationDefinitionNode, FragmentDefinitionNode)):
            measure = meter.selection(item.selection_set)
            if measure.depth > MAX_DEPTH:
                raise DocumentTooLarge(f"the document is {measure.depth} levels deep; at most {MAX_DEPTH} are allowed")
            if measure.fields > MAX_FIELDS:
                raise DocumentTooLarge(f"the document asks for more than {MAX_FIELDS} fields, fragments counted in")
        if isinstance(item, OperationDefinitionNode) and len(item.selection_set.selections) > MAX_ROOT_FIELDS:
            raise DocumentTooLarge(f"at most {MAX_ROOT_FIELDS} fields may stand at the root")
    if meter.directives > MAX_DIRECTIVES:
        raise DocumentTooLarge(f"at most {MAX_DIRECTIVES} directives are allowed")


class _Meter:
    """Measures selection sets; each fragment once."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self.fragments = fragments
        self.measured: dict[str, _Measure | None] = {}
        self.directives = 0

    def selection(self, selection_set: SelectionSetNode | None) -> _Measure:
        fields, depth = 0, 0
        same: dict[str, int] = {}
        for selection in selection_set.selections if selection_set is not None else ():
            self.directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                key = (selection.alias or selection.name).value
                same[key] = same.get(key, 0) + 1
                if same[key] > MAX_SAME_KEY:
                    raise DocumentTooLarge(f"{key!r} is asked for more than {MAX_SAME_KEY} times in one selection")
                inner = self.selection(selection.selection_set)
                fields += 1 + inner.fields
                depth = max(depth, 1 + inner.depth)
            elif isinstance(selection, InlineFragmentNode):
                inner = self.selection(selection.selection_set)
                fields += inner.fields
                depth = max(depth, inner.depth)
            elif isinstance(selection, FragmentSpreadNode):
                inner = self.fragment(selection.name.value)
                # A spread counts itself, for validation visits it even where its fragment is empty of fields.
                fields += 1 + inner.fields
                depth = max(depth, inner.depth)
        return _Measure(fields, depth)

    def fragment(self, name: str) -> _Measure:
        if name in self.measured:
            found = self.measured[name]
            if found is None:
                raise DocumentTooLarge(f"the fragment {name!r} spreads itself")
            return found
        definition = self.fragments.get(name)
        if definition is None:
            return _Measure(0, 0)
        self.measured[name] = None
        measure = self.selection(definition.selection_set)
        self.measured[name] = measure
        return measure


def cost_of(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: dict[str, FragmentDefinitionNode],
    variables: dict[str, Any],
) -> int:
    """Static cost of a valid operation: every field counts one, times the sizes of the pages it stands in."""
    return _Cost(schema, fragments, variables).selection(
        operation.selection_set, schema.get_root_type(operation.operation)
    )


class _Cost:
    def __init__(
        self, schema: GraphQLSchema, fragments: dict[str, FragmentDefinitionNode], variables: dict[str, Any]
    ) -> None:
        self.schema = schema
        self.fragments = fragments
        self.variables = variables
        self.known: dict[str, int] = {}

    def selection(self, selection_set: SelectionSetNode | None, parent: Any) -> int:
        total = 0
        for selection in selection_set.selections if selection_set is not None else ():
            if isinstance(selection, FieldNode):
                total += self.field(selection, parent)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inner = self.schema.type_map[condition.name.value] if condition is not None else parent
                total += self.selection(selection.selection_set, inner)
            elif isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                if name not in self.known:
                    definition = self.fragments[name]
                    inner = self.schema.type_map[definition.type_condition.name.value]
                    self.known[name] = self.selection(definition.selection_set, inner)
                total += self.known[name]
        return total

    def field(self, node: FieldNode, parent: Any) -> int:
        definition = getattr(parent, "fields", {}).get(node.name.value)
        if definition is None:
            return 1
        inner = self.selection(node.selection_set, get_named_type(definition.type))
        source = source_of(definition)
        if isinstance(source, (ToMany, Merged, RootConnection)):
            return 1 + self.page_size(node) * inner
        if isinstance(source, ToList):
            return 1 + LIST_SIZE * inner
        if isinstance(source, RootNode) and source.many:
            return 1 + MAX_PAGE * inner
        return 1 + inner

    def page_size(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in ("first", "last"):
                value: Any = None
                if isinstance(argument.value, IntValueNode):
                    value = int(argument.value.value)
                elif isinstance(argument.value, VariableNode):
                    value = self.variables.get(argument.value.name.value)
                if isinstance(value, int):
                    return max(1, min(value, MAX_PAGE))
        return DEFAULT_PAGE
