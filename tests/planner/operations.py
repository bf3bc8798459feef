"""Random valid read operations over a schema, for Hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    get_named_type,
)
from hypothesis import strategies as st
from strawberry.utils.str_converters import to_camel_case

from core.ids import encode_id
from planner.binding import ORDERS_KEY, TERMS_KEY
from planner.cursor import encode_cursor, encode_merged_cursor
from planner.pages import BY_KEY
from planner.selection import DEFINITION, source_of
from planner.sources import Merged

MAX_DEPTH = 7
MAX_FIELDS = 60
PLAIN_VALUES: dict[str, list[Any]] = {
    "String": ["K-1-1", "7707083893", "Basic", "p1", "RUB", "NAME"],
    "Int": [1, 2, 5],
    "Boolean": [True, False],
    "BigInt": ["1", "2", "31"],
    "Decimal": ["99.00", "496.5"],
    "DateTime": ["2026-02-01T00:00:00Z", "2026-03-03T03:00:00.123456+03:00"],
}
CURSORS = {
    "KEY": [encode_cursor("CREATED_AT", None, 2), encode_cursor("CREATED_AT", None, 7)],
    "CREATED_AT": [
        encode_cursor("CREATED_AT", "2026-02-01 00:00:00+00", 7),
        encode_cursor("CREATED_AT", "2026-02-02 10:00:00.5+00", 3),
    ],
    "NAME": [encode_cursor("NAME", "Альфа", 1)],
    "TOTAL": [encode_cursor("TOTAL", "497.50", 6), encode_cursor("TOTAL", "498", 3)],
    "DUE_AT": [encode_cursor("DUE_AT", "2026-03-03 00:00:00.123456+00", 2)],
    "HAPPENED_AT": [
        encode_merged_cursor("happened_at", "2026-02-01 00:00:00+00", "TimelineInvoice", 3),
        encode_merged_cursor("happened_at", "2026-02-05 10:00:00+00", "TimelineNote", 2),
        encode_merged_cursor("happened_at", "2026-02-05 10:00:00+00", "TimelineX", 1),
    ],
}


PAGE_ARGUMENTS = {"first", "last", "after", "before", "filter", "orderBy", "id", "ids"}
OTHER_VALUES: dict[str, list[Any]] = {
    "days": [0, 1, 30],
    "metric": ["clients", "lessons"],
    "partnerId": [encode_id("Partner", key) for key in (1, 2, 3)],
}


@dataclass
class Operation:
    """A document with its variables.

    Parameters:
        declared: declarations of variables.
        fragments: definitions of named fragments.
    """

    body: str = ""
    variables: dict[str, Any] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        """The whole document."""
        head = f"query Random({', '.join(self.declared)})" if self.declared else "query Random"
        return "\n".join([f"{head} {self.body}", *self.fragments])


class Writer:
    """Writes one operation by drawing choices.

    Parameters:
        roots: the only root fields to ask for; all where there are none.
    """

    def __init__(self, draw: Any, schema: GraphQLSchema, roots: Sequence[str] = ()) -> None:
        self.draw = draw
        self.schema = schema
        self.roots = roots
        self.operation = Operation()
        self.fields = 0
        self.aliases = 0

    def some(self, values: list[Any]) -> Any:
        """One of these."""
        return self.draw(st.sampled_from(values))

    def chance(self, in_ten: int) -> bool:
        """True about so often."""
        return bool(self.draw(st.integers(0, 9)) < in_ten)

    def write(self) -> Operation:
        """The whole operation."""
        root = self.schema.query_type
        assert root is not None
        self.operation.body = self.selection(root, 0)
        return self.operation

    def selection(self, type_: Any, depth: int) -> str:
        """A selection set of a type."""
        if isinstance(type_, GraphQLInterfaceType):
            return self.of_interface(type_, depth)
        names = list(type_.fields)
        if depth >= MAX_DEPTH or self.fields > MAX_FIELDS:
            names = [
                name
                for name in names
                if not isinstance(get_named_type(type_.fields[name].type), (GraphQLObjectType, GraphQLInterfaceType))
            ]
        names = [name for name in names if name not in ("node", "nodes") or depth == 0 or type_.name != "Query"]
        if depth == 0 and self.roots:
            names = [name for name in names if name in self.roots]
        wanted = (
            self.draw(st.lists(st.sampled_from(names), min_size=1, max_size=2 if depth == 0 else 5)) if names else []
        )
        parts = [self.field(type_, name, depth) for name in wanted]
        if not parts or self.chance(1):
            parts.append(self.alias() + "__typename")
        if len(parts) > 1 and self.chance(2):
            parts[-1] = f"... on {type_.name} {{ {parts[-1]} }}"
        elif self.chance(1):
            name = f"F{len(self.operation.fragments) + 1}"
            self.operation.fragments.append(f"fragment {name} on {type_.name} {{ {parts.pop()} }}")
            parts.append(f"...{name}")
        return "{ " + " ".join(parts) + " }"

    def of_interface(self, type_: Any, depth: int) -> str:
        """A selection on an interface: its fields, and fields of some of its types."""
        parts = ["__typename", "id"]
        own = [
            name
            for name, field in type_.fields.items()
            if not isinstance(get_named_type(field.type), GraphQLObjectType)
        ]
        parts += [self.field(type_, name, depth) for name in self.draw(st.lists(st.sampled_from(own), max_size=2))]
        for possible in self.draw(st.lists(st.sampled_from(list(self.schema.get_possible_types(type_))), max_size=2)):
            parts.append(f"... on {possible.name} {self.selection(possible, depth + 1)}")
        return "{ " + " ".join(parts) + " }"

    def alias(self) -> str:
        """An alias that nothing else has."""
        self.aliases += 1
        return f"a{self.aliases}: "

    def field(self, type_: Any, name: str, depth: int) -> str:
        """One field with arguments, directives and its selection."""
        self.fields += 1
        definition = type_.fields[name]
        text = self.alias() + name
        arguments = self.arguments(definition)
        if arguments:
            text += f"({', '.join(arguments)})"
        if self.chance(1):
            on = self.some([True, False])
            text += f" @{self.some(['include', 'skip'])}(if: {self.given('Boolean!', on)})"
        inner = get_named_type(definition.type)
        if isinstance(inner, (GraphQLObjectType, GraphQLInterfaceType)):
            text += " " + self.selection(inner, depth + 1)
        return text

    def arguments(self, definition: Any) -> list[str]:
        """Some of a field's arguments."""
        written = []
        order = "HAPPENED_AT" if isinstance(source_of(definition), Merged) else "CREATED_AT"
        if "first" in definition.args and self.chance(6):
            written.append(f"{self.some(['first', 'last'])}: {self.given('Int', self.some([1, 2, 3, 50]))}")
        if "orderBy" in definition.args and self.chance(3):
            type_ = definition.args["orderBy"].type
            value = self.value(type_)
            order = value["field"]
            written.append(f"orderBy: {self.given(str(type_), value, type_)}")
        for name in ("after", "before"):
            if order == "CREATED_AT" and _is_by_key(definition):
                order = "KEY"
            if name in definition.args and order in CURSORS and self.chance(2):
                written.append(f"{name}: {self.given('String', self.some(CURSORS[order]))}")
        if "filter" in definition.args and self.chance(2):
            type_ = definition.args["filter"].type
            written.append(f"filter: {self.given(str(type_), self.filter(type_), type_)}")
        if "id" in definition.args:
            written.append(f"id: {self.given('ID!', self.id_of(definition))}")
        for name in definition.args.keys() - PAGE_ARGUMENTS:
            type_ = definition.args[name].type
            if (isinstance(type_, GraphQLNonNull) and definition.args[name].default_value is Undefined) or self.chance(
                5
            ):
                written.append(f"{name}: {self.given(str(type_), self.some(OTHER_VALUES[name]), type_)}")
        if "ids" in definition.args:
            type_ = definition.args["ids"].type
            ids = [self.id_of(definition) for _ in range(self.draw(st.integers(0, 3)))]
            written.append(f"ids: {self.given(str(type_), ids, type_)}")
        return written

    def filter(self, type_: GraphQLInputObjectType) -> dict[str, Any]:
        """Some conditions of a filter, with ids of the types that they want."""
        given = {}
        for name, term in getattr(type_.extensions[DEFINITION].origin, TERMS_KEY).items():
            if self.chance(3):
                camel = to_camel_case(name)
                wanted = type_.fields[camel].type
                given[camel] = encode_id(term.id_of, self.draw(st.integers(1, 3))) if term.id_of else self.value(wanted)
        return given

    def id_of(self, definition: Any) -> str:
        """A global id that fits a field."""
        inner = get_named_type(definition.type)
        possible = self.schema.get_possible_types(inner) if isinstance(inner, GraphQLInterfaceType) else [inner]
        return encode_id(self.some([item.name for item in possible]), self.draw(st.integers(1, 5)))

    def value(self, type_: Any) -> Any:
        """A value of an input type, in the form of JSON."""
        if isinstance(type_, GraphQLNonNull):
            return self.value(type_.of_type)
        if isinstance(type_, GraphQLList):
            return [self.value(type_.of_type) for _ in range(self.draw(st.integers(0, 2)))]
        if isinstance(type_, GraphQLEnumType):
            return self.some(list(type_.values))
        if isinstance(type_, GraphQLInputObjectType):
            return {
                name: self.value(item.type)
                for name, item in type_.fields.items()
                if (isinstance(item.type, GraphQLNonNull) and item.default_value is Undefined) or self.chance(5)
            }
        return self.some(PLAIN_VALUES[str(type_)])

    def given(self, declared: str, value: Any, type_: Any = None) -> str:
        """The value written in place, or taken from a variable."""
        if self.chance(4):
            name = f"v{len(self.operation.variables) + 1}"
            self.operation.variables[name] = value
            self.operation.declared.append(f"${name}: {declared}")
            return f"${name}"
        return literal(value, type_)


def literal(value: Any, type_: Any = None) -> str:
    """A value as GraphQL writes it."""
    if isinstance(type_, GraphQLNonNull):
        return literal(value, type_.of_type)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        inner = type_.of_type if isinstance(type_, GraphQLList) else None
        return "[" + ", ".join(literal(item, inner) for item in value) + "]"
    if isinstance(value, dict):
        fields = type_.fields
        return "{" + ", ".join(f"{name}: {literal(item, fields[name].type)}" for name, item in value.items()) + "}"
    if isinstance(value, str) and not isinstance(type_, GraphQLEnumType):
        return f'"{value}"'
    return str(value)


@st.composite
def operations(draw: Any, schema: GraphQLSchema, roots: Sequence[str] = ()) -> Operation:
    """A random valid operation."""
    return Writer(draw, schema, roots).write()


def _is_by_key(definition: Any) -> bool:
    """Whether a connection's newest rows are those with the greatest keys."""
    if "orderBy" not in definition.args:
        return True
    return BY_KEY not in getattr(definition.args["orderBy"].type.extensions[DEFINITION].origin, ORDERS_KEY)
