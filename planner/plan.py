"""How an operation is run: one statement over the tables, and functions, each with a statement for its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from graphql.execution.values import VariableValues

from planner.binds import fill
from planner.compile import Statement
from planner.context import RunContext
from planner.payload import KeySlot, PayloadPlan
from planner.selection import NO_VARIABLES, Selected


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


@dataclass(slots=True)
class Plan:
    """All that is run for one operation.

    Parameters:
        looks: whether the statement reads rows of partners.
    """

    cost: int
    statement: Statement | None
    functions: list[FunctionCall]
    keys: list[str]
    constants: dict[str, Any]
    looks: bool
