"""Walks over a whole schema: an operation for each root field, asking for every field that a caller may ask for.

    for read in reads(project(planner.schema, permissions), values):
        answer = await planner.execute(read.source, None, read.variables, …)

The operations come from the schema itself, so that a new field is walked without anybody thinking of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_required_argument,
)

# Gives the values to try for an argument that a field insists on: the field's coordinate, the argument's name, and the
# type of the object that the field leads to.
Values = Callable[[str, str, Any], list[Any]]
DEPTH = 3
PAGE = 3


@dataclass(frozen=True)
class Walk:
    """One operation of a walk.

    Parameters:
        root: name of the root field.
        asked: coordinates of the fields that it asks for.
    """

    root: str
    source: str
    variables: dict[str, Any]
    asked: frozenset[str]


@dataclass
class _Writer:
    schema: GraphQLSchema
    values: Values
    page: int
    variables: dict[str, Any] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def selection(self, type_: Any, depth: int, above: tuple[str, ...] = ()) -> str:
        """Every field of a type, and of what it leads to; no type again below itself, or answers grow without end."""
        parts = ["__typename"]
        for name, definition in type_.fields.items():
            text = self.field(type_, name, definition, depth, (*above, type_.name))
            if text:
                parts.append(text)
        return " ".join(parts)

    def field(self, parent: Any, name: str, definition: GraphQLField, depth: int, above: tuple[str, ...]) -> str:
        """One field with its arguments and selection; nothing where it leads too deep."""
        coordinate = f"{parent.name}.{name}"
        if any(is_required_argument(argument) for argument in definition.args.values()):
            return ""
        target: Any = get_named_type(definition.type)
        if not isinstance(target, GraphQLObjectType):
            self.asked.add(coordinate)
            return name
        inside = node_type(target)
        if depth <= 0 or inside.name in above:
            return ""
        self.asked.add(coordinate)
        page = f"(first: {self.page})" if "first" in definition.args else ""
        return f"{name}{page} {{ {self.body(target, depth - 1, above)} }}"

    def body(self, target: Any, depth: int, above: tuple[str, ...]) -> str:
        """The selection of an object; of a connection both forms of its rows, of which one goes deep."""
        inside = node_type(target)
        if inside is target:
            return self.selection(target, depth, above)
        helpers = [target, *(get_named_type(target.fields[name].type) for name in ("edges", "pageInfo"))]
        self.asked |= {f"{helper.name}.{name}" for helper in helpers for name in helper.fields}
        return (
            "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } "
            f"edges {{ cursor node {{ __typename }} }} nodes {{ {self.selection(inside, depth, above)} }}"
        )

    def arguments(self, coordinate: str, definition: GraphQLField, target: Any, choice: int) -> str:
        """The arguments that a root field insists on, as variables, and a page's size."""
        given = []
        for name, argument in definition.args.items():
            if is_required_argument(argument):
                offered = self.values(coordinate, name, target)
                self.variables[name] = offered[choice % len(offered)]
                self.declared.append(f"${name}: {argument.type}")
                given.append(f"{name}: ${name}")
            elif name == "first":
                given.append(f"first: {self.page}")
        return f"({', '.join(given)})" if given else ""


def node_type(type_: Any) -> Any:
    """The type of a connection's rows, or the type itself."""
    return get_named_type(type_.fields["nodes"].type) if type_.name.endswith("Connection") else type_


def reads(schema: GraphQLSchema, values: Values, *, depth: int = DEPTH, page: int = PAGE) -> Iterator[Walk]:
    """The operations of a walk over the query type.

    Parameters:
        schema: what the caller may see, such as `planner.projection.project` gives it.
        values: what to try for required arguments; each value is tried in an operation of its own.
        depth: steps from the root's rows to the farthest rows.
        page: rows of each page.
    """
    assert schema.query_type is not None
    yield from _operations(schema, "query", schema.query_type, values, depth, page)


def mutations(schema: GraphQLSchema, values: Values, *, depth: int = 1, page: int = PAGE) -> Iterator[Walk]:
    """The operations of a walk over the mutation type, each asking for its whole payload."""
    if schema.mutation_type is not None:
        yield from _operations(schema, "mutation", schema.mutation_type, values, depth, page)


def _operations(
    schema: GraphQLSchema, keyword: str, root: GraphQLObjectType, values: Values, depth: int, page: int
) -> Iterator[Walk]:
    for name, definition in root.fields.items():
        coordinate = f"{root.name}.{name}"
        required = [key for key, item in definition.args.items() if is_required_argument(item)]
        target: Any = get_named_type(definition.type)
        for possible in _possible(schema, target):
            choices = max([len(values(coordinate, key, possible)) for key in required], default=1)
            for choice in range(choices):
                writer = _Writer(schema, values, page)
                writer.asked.add(coordinate)
                arguments = writer.arguments(coordinate, definition, possible, choice)
                body = ""
                if possible is not target:
                    # One step: what lies behind is walked from the type's own roots.
                    body = f" {{ ... on {possible.name} {{ {writer.selection(possible, 1)} }} }}"
                elif isinstance(target, GraphQLObjectType):
                    body = f" {{ {writer.body(target, depth, ())} }}"
                declared = f"({', '.join(writer.declared)})" if writer.declared else ""
                source = f"{keyword} Walk{declared} {{ {name}{arguments}{body} }}"
                yield Walk(name, source, writer.variables, frozenset(writer.asked))


def _possible(schema: GraphQLSchema, target: Any) -> list[Any]:
    """The types to ask for: those of an interface one by one, for their fields may differ under the same name."""
    return list(schema.get_possible_types(target)) if isinstance(target, GraphQLInterfaceType) else [target]
