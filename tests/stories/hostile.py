"""Inputs that no front end would send: the right shape with strange values, drawn from the schema itself."""

from __future__ import annotations

import random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
)

from core.ids import encode_id

MAX_ROW = 5
STRANGE_TEXT = [
    "",
    " ",
    "\0",
    "x" * 3_000,
    "Ёж\u202e😀",
    "'; DROP TABLE users;--",
    "a\nb",
    "%_\\",
    "=1+1",
    "https://127.0.0.1/",
]
PLAUSIBLE_TEXT = [
    "North Wind",
    "ada@kontora.test",
    "7707083893",
    "773601001",
    "RUB",
    "https://example.com/hook",
    "+7 495 000-00-00",
]
NUMBERS = [0, 1, -1, 2, 7, 100, 2**31 - 1, -(2**31)]
PLAUSIBLE: dict[str, list[Any]] = {
    "Boolean": [True, False],
    "Int": [1, 2, 5, 12],
    "BigInt": ["1", "2"],
    "Decimal": ["1", "10.5", "100.00", "1500"],
    "DateTime": ["2026-12-31T00:00:00Z", "2027-06-01T12:00:00Z"],
    "Date": ["2026-12-31", "2027-02-28"],
}
STRANGE: dict[str, list[Any]] = {
    "Boolean": [True, False],
    "Int": NUMBERS,
    "BigInt": ["0", "-1", "1", "9223372036854775807", "9223372036854775808"],
    "Decimal": ["0", "1", "-1", "0.001", "10.005", "100.00", "0.0004", "99999999999999999999.99", "1e30", "NaN", "-0"],
    "Float": [0.0, -1.5, 1e300],
    "DateTime": [
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-12:00",
        "2026-02-28T00:00:00+03:00",
        "2027-01-01T00:00:00Z",
    ],
    "Date": ["0001-01-01", "9999-12-31", "2026-02-28", "2027-01-31"],
    "JSON": [None, {}, [], "x", {"a": {"b": [1, None]}}],
}


class Hostile:
    """Writes operations on one root field.

    Parameters:
        schema: the schema that is attacked.
        seed: the same seed draws the same operations.
    """

    def __init__(self, schema: GraphQLSchema, seed: str) -> None:
        self.schema = schema
        self.random = random.Random(seed)
        self.strange = True
        self.objects = [
            name
            for name, kind in schema.type_map.items()
            if isinstance(kind, GraphQLObjectType) and any(i.name == "Node" for i in kind.interfaces)
        ]

    def operation(self, kind: str, name: str, field: GraphQLField) -> tuple[str, dict[str, Any]]:
        """A document that asks one root field, and its variables."""
        # Strange values end most operations at the door; plausible ones get further in.
        self.strange = self.random.random() < 0.5
        given = {
            argument: self.value(argument, declared.type, self._subject(name))
            for argument, declared in field.args.items()
            if isinstance(declared.type, GraphQLNonNull) or self.random.random() < 0.5
        }
        declared = ", ".join(f"${argument}: {field.args[argument].type}" for argument in given)
        passed = ", ".join(f"{argument}: ${argument}" for argument in given)
        head = f"{kind} Hostile({declared})" if declared else f"{kind} Hostile"
        call = f"{name}({passed})" if passed else name
        return f"{head} {{ {call} {self._selection(field)} }}", given

    def value(self, name: str, kind: Any, subject: str) -> Any:
        """A value of a type; mostly of a row that may exist, where an id is wanted."""
        if isinstance(kind, GraphQLNonNull):
            return self._present(name, kind.of_type, subject)
        return None if self.random.random() < 0.15 else self._present(name, kind, subject)

    def _present(self, name: str, kind: Any, subject: str) -> Any:
        if isinstance(kind, GraphQLList):
            return [self.value(name, kind.of_type, subject) for _ in range(self.random.choice([0, 1, 1, 2]))]
        if isinstance(kind, GraphQLInputObjectType):
            return {
                key: self.value(key, item.type, subject)
                for key, item in kind.fields.items()
                if isinstance(item.type, GraphQLNonNull) or self.random.random() < 0.6
            }
        if isinstance(kind, GraphQLEnumType):
            return self.random.choice(list(kind.values))
        if kind.name == "ID":
            return self._id(name, subject)
        if kind.name == "String":
            if name == "idempotencyKey":
                fresh = f"key-{self.random.random()}"
                return self.random.choice([fresh, "key", "", "x" * 3_000]) if self.strange else fresh
            return self.random.choice(STRANGE_TEXT if self._strange_now() else PLAUSIBLE_TEXT)
        values = STRANGE if self._strange_now() else PLAUSIBLE | {"JSON": STRANGE["JSON"]}
        return self.random.choice(values.get(kind.name, ["", "x", "1"]))

    def _strange_now(self) -> bool:
        return self.strange and self.random.random() < 0.4

    def _id(self, name: str, subject: str) -> str:
        if self.strange and self.random.random() < 0.15:
            return self.random.choice(["", "garbage", "SW52b2ljZTox\0", encode_id("Invoice", 2**62), encode_id("X", 1)])
        wanted = subject if name == "id" else name.removesuffix("Ids").removesuffix("Id")
        fitting = [item for item in self.objects if item.lower() == wanted.lower()]
        return encode_id(self.random.choice(fitting or self.objects), self.random.randint(1, MAX_ROW))

    def _subject(self, field: str) -> str:
        """The type that a noun-first mutation is about: the longest type name that its name begins with."""
        fitting = [item for item in self.objects if field.lower().startswith(item.lower())]
        return max(fitting, key=len) if fitting else ""

    def _selection(self, field: GraphQLField) -> str:
        kind = get_named_type(field.type)
        if not isinstance(kind, GraphQLObjectType):
            return "{ __typename }" if hasattr(kind, "fields") or hasattr(kind, "types") else ""
        inner = "code message field" if "userErrors" in kind.fields else ""
        return f"{{ __typename {'userErrors { ' + inner + ' }' if inner else ''} }}"
