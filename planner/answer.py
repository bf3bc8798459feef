"""What running an operation gives back, before it becomes an HTTP answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLError

from core.errors import KontoraError


@dataclass(slots=True)
class Answer:
    """The result of one operation.

    Parameters:
        data: the value of `data`, with JSON fragments in it; meaningless when nothing ran.
        errors: entries of `errors`.
        ran: whether execution began; if not, the answer has no `data` and is a request error.
        cost: static cost of the operation: fields times page sizes.
    """

    data: Any = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    ran: bool = True
    cost: int | None = None

    @classmethod
    def refused(cls, *errors: dict[str, Any], cost: int | None = None) -> Answer:
        """Nothing ran."""
        return cls(errors=list(errors), ran=False, cost=cost)


def told(error: KontoraError, path: list[str | int] | None = None) -> dict[str, Any]:
    """An entry of `errors` for one of our typed failures."""
    extensions: dict[str, Any] = {"code": error.code}
    for name in ("permission", "on", "field"):
        value = getattr(error, name, None)
        if value is not None:
            extensions["field" if name == "on" else name] = ".".join(value) if isinstance(value, tuple) else value
    entry: dict[str, Any] = {"message": error.message, "extensions": extensions}
    if path is not None:
        entry["path"] = path
    return entry


def told_graphql(error: GraphQLError, code: str) -> dict[str, Any]:
    """An entry of `errors` for a failure of parsing, validation or coercion."""
    entry: dict[str, Any] = dict(error.formatted)
    entry["extensions"] = {**(error.extensions or {}), "code": code}
    return entry
