"""What all phases of one compilation share, and the rows of a table that the caller may reach."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table

from core.principal import Principal
from models.base import SEARCH_TEXT, Base
from models.reach import TENANT_SECRETS, partner_predicate
from planner.binds import Binds
from planner.computed import Computations
from planner.listing import NotCompilable
from planner.pages import scope_condition
from planner.selection import Selector, binding_of
from policies.scopes import scope_column


@dataclass(slots=True)
class Scope:
    """What all phases of one compilation share.

    Parameters:
        tables: names of tables with partners' rows that the statement reads.
        way: what FROM names on the way from the statement's first rows to the rows that are being written, for the log.
        seen: selects of the partners whose rows are read.
    """

    selector: Selector
    principal: Principal
    binds: Binds = field(default_factory=Binds)
    tables: set[str] = field(default_factory=set)
    way: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    computations: Computations = field(init=False)
    _aliases: int = 0

    def __post_init__(self) -> None:
        self.computations = Computations(self.principal.permissions)

    def alias(self) -> str:
        """A fresh alias."""
        self._aliases += 1
        return f"t{self._aliases}"

    @contextmanager
    def step(self, table: Table, source: str, parent: Table | None = None) -> Iterator[None]:
        """Write what is below some rows; those of partners that the log does not know of yet are told to it.

        Parameters:
            source: what FROM names, with its alias; `LATERAL` where it depends on the way there.
            parent: the table one step up: where each of its rows is a partner's, its partner is known already.
        """
        known = parent is not None and always_of_partner(parent)
        with self.below(source, None if known else scope_column(table)):
            yield

    @contextmanager
    def below(self, source: str, partner_column: str | None = None) -> Iterator[None]:
        """Like :meth:`step`, for rows of any kind.

        Parameters:
            partner_column: their column that tells the log of their partner; None where it is known already.
        """
        self.way.append(source)
        if partner_column is not None:
            alias = source.rpartition(" ")[2]
            self.seen.append(f"SELECT {alias}.{partner_column} AS partner FROM {' CROSS JOIN '.join(self.way)}")
        yield
        self.way.pop()


def always_of_partner(table: Table) -> bool:
    """Whether each row of the table belongs to a partner, and what it leads to belongs to the same."""
    column = scope_column(table)
    return column is not None and not table.columns[column].nullable


def table_of(graphql_type: Any) -> Table:
    """The table that a type is bound to."""
    binding = binding_of(graphql_type)
    if binding is None or binding.model is None or not isinstance(binding.model.__table__, Table):
        raise NotCompilable(f"{graphql_type} is not bound to a table")
    return binding.model.__table__


def conditions_of(scope: Scope, table: Table, alias: str, *more: str) -> list[str]:
    """The scope's predicate and more."""
    if partner_predicate(table, "", "") is not None:
        scope.tables.add(table.name)
    held = scope_condition(table, alias, scope.principal, scope.binds)
    return [*more, *([held] if held else [])]


def held_rows(scope: Scope, model: type[Base]) -> str:
    """The condition that a row of the model's table, by the table's name, is within the caller's reach."""
    table = model.__table__
    if not isinstance(table, Table) or not (scope.principal.is_tenant or scope.principal.needs_grant):
        return "true"
    if scope.principal.needs_grant:
        # Even a number tells of the partner that the grant is for.
        scope.seen.append("SELECT scope.partner_id AS partner FROM scope")
    return " AND ".join(conditions_of(scope, table, table.name)) or "true"


def rows_sql(
    scope: Scope, table: Table, alias: str, conditions: list[str], tail: str, *, source: str | None = None
) -> str:
    """The statement of some rows, without columns that a tenant may not even name, or that only searches look at.

    Parameters:
        source: what FROM names, where it is more than the table.
    """
    held = scope.principal.is_tenant or scope.principal.needs_grant
    hidden = (TENANT_SECRETS.get(table.name, frozenset()) if held else frozenset[str]()) | {SEARCH_TEXT}
    columns = ", ".join(f"{alias}.{column.name}" for column in table.columns if column.name not in hidden)
    return f"SELECT {columns} FROM {source or f'{table.name} {alias}'}{where(conditions)} {tail}"


def where(conditions: list[str]) -> str:
    """A WHERE clause, empty for no conditions."""
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def lateral(rows: str, alias: str) -> str:
    """What FROM names for rows that depend on those before."""
    return f"LATERAL ({rows}) {alias}"
