"""Which rows a connection takes: filters, order, keyset and scope, as SQL."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table
from strawberry.utils.str_converters import to_camel_case

from core import clock
from core.errors import Forbidden, UserError
from core.ids import decode_id
from core.principal import Principal
from models.reach import PARTNER_LINKS
from planner.binding import DEFAULT_PAGE, MAX_PAGE, ORDERS_KEY, TERMS_KEY, kind_of
from planner.binds import Binds, follow, refuse_nul
from planner.cursor import decode_cursor
from planner.selection import DEFINITION, Selected
from planner.sources import FilterTerm
from planner.write import PG_TYPES, literal
from policies.scopes import reach

BY_KEY = "CREATED_AT"
MOST_DAYS = 36_500
SCOPE = "scope.partner_id"
ME = "@me"
# Alias of the table that finds the rows of one partner, and the column that it has of them.
LINK = "link"
BY_TIME = "created_at"


class InvalidPage(UserError):
    """`first`, `last`, `after` and `before` do not fit together or are out of range."""

    code = "INVALID_PAGE"


@dataclass(frozen=True, slots=True)
class Window:
    """How much of a connection is asked for.

    Parameters:
        size: rows of the page.
        backward: whether the page is taken from the back.
        beyond: whether a cursor says that rows exist on the other side.
    """

    size: int
    backward: bool
    beyond: bool


@dataclass(slots=True)
class Page:
    """The rows of one connection.

    Parameters:
        source: what FROM names.
        where: conditions, joined by AND.
        counted: the conditions without the cursor's, for `totalCount`.
        taken: the ORDER BY list by which rows are taken, turned round for a page from the back.
        order: the same over the rows that were taken.
        shown: the ORDER BY list in which they are shown.
        order_name: name of the order, kept in cursors.
        order_column: column of the order; None for the order by key.
        size: rows of the page.
        backward: whether the page is taken from the back.
        beyond: whether a cursor says that rows exist on the other side.
    """

    source: str
    where: list[str]
    counted: list[str]
    taken: str
    order: str
    shown: str
    order_name: str
    order_column: str | None
    size: int
    backward: bool
    beyond: bool


def scope_condition(table: Table, alias: str, principal: Principal, binds: Binds) -> str | None:
    """The predicate of the caller's reach, the first of the two walls; None where nothing is to be held."""
    held = reach(table, alias, principal, partner=SCOPE, me=ME)
    return held.replace(ME, binds.of_principal("user_id", "bigint")) if held is not None and ME in held else held


def page_of(
    selected: Selected, table: Table, alias: str, binds: Binds, base: list[str], permissions: frozenset[str]
) -> Page:
    """The page that a connection field asks for.

    Parameters:
        base: conditions that hold anyway: scope and parent.
        permissions: the caller's, for conditions that need one of their own.

    Raises:
        InvalidPage: arguments out of range.
        Forbidden: a condition on what the caller may not read.
    """
    arguments = selected.arguments
    window = window_of(arguments)
    order_name, column, descending = _order(selected, table)
    filters = filters_of(selected, binds, permissions)
    # The base holds to one partner, or a filter asks for one.
    held = any(SCOPE in condition for condition in base)
    of_one = held or any(term.kind == "listed" for term, _ in filters)
    link = PARTNER_LINKS.get(table.name) if of_one else None
    conditions = [*base, f"{LINK}.partner_id = {SCOPE}"] if link is not None and held else [*base]
    for term, condition in filters:
        of = LINK if link is not None and term.column.name == BY_TIME else alias
        conditions.append(condition.format(row=alias, column=f"{of}.{term.column.name}"))
    keyset = []
    for name, forward in (("after", True), ("before", False)):
        if arguments.get(name) is not None:
            sign = "<" if descending == forward else ">"
            keyset.append(_keyset(selected, name, order_name, column, _keys(alias, column, link), sign, binds))
    direction = "DESC" if descending != window.backward else "ASC"
    return Page(
        source=f"{table.name} {alias}"
        if link is None
        else f"{link} {LINK} JOIN {table.name} {alias} ON {alias}.id = {LINK}.entry_id",
        where=conditions + keyset,
        counted=conditions,
        taken=", ".join(f"{key} {direction}" for key in _keys(alias, column, link)),
        order=", ".join(f"{key} {direction}" for key in _keys(alias, column, None)),
        shown=", ".join(f"{key} {'DESC' if descending else 'ASC'}" for key in _keys(alias, column, None)),
        order_name=order_name,
        order_column=None if column is None else column.name,
        size=window.size,
        backward=window.backward,
        beyond=window.beyond,
    )


def window_of(arguments: dict[str, Any]) -> Window:
    """How much of a connection is asked for.

    Raises:
        InvalidPage: `first` and `last` together, or out of range.
    """
    first, last = arguments.get("first"), arguments.get("last")
    if first is not None and last is not None:
        raise InvalidPage("give `first` or `last`, not both", field=("first",))
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 1 <= size <= MAX_PAGE:
            raise InvalidPage(f"`{name}` must be between 1 and {MAX_PAGE}, not {size}", field=(name,))
    backward = last is not None
    return Window(
        size=last if last is not None else (first if first is not None else DEFAULT_PAGE),
        backward=backward,
        beyond=arguments.get("before" if backward else "after") is not None,
    )


def filters_of(selected: Selected, binds: Binds, permissions: frozenset[str]) -> list[tuple[FilterTerm, str]]:
    """The conditions that a connection's filter sets, each as SQL where ``{row}`` and ``{column}`` are to be filled in.

    Raises:
        Forbidden: a condition on what the caller may not read.
    """
    given = selected.arguments.get("filter")
    if given is None:
        return []
    terms: dict[str, FilterTerm] = getattr(_input_class(selected, "filter"), TERMS_KEY)
    found = []
    for name, term in terms.items():
        graphql_name = to_camel_case(name)
        if given.get(graphql_name) is not None:
            if term.requires is not None and term.requires not in permissions:
                raise Forbidden(term.requires, f"{_input_class(selected, 'filter').__name__}.{graphql_name}")
            found.append((term, _condition(selected, term, ("filter", graphql_name), binds)))
    return found


def _order(selected: Selected, table: Table) -> tuple[str, Any, bool]:
    order = selected.arguments.get("orderBy")
    columns = getattr(_input_class(selected, "orderBy"), ORDERS_KEY)
    if order is None:
        return BY_KEY, columns.get(BY_KEY), True
    name = str(_plain(follow(order, ("field",))))
    return name, columns.get(name), _plain(follow(order, ("direction",))) == "DESC"


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _input_class(selected: Selected, argument: str) -> Any:
    assert selected.definition is not None
    return selected.definition.args[argument].type.extensions[DEFINITION].origin  # type: ignore[union-attr]


def _condition(selected: Selected, term: FilterTerm, path: tuple[str, ...], binds: Binds) -> str:
    pg_type = PG_TYPES.get(kind_of(term.column), "")

    given = _written(follow(selected.arguments, path), kind_of(term.column))
    if given and term.kind in ("equals", "any_of"):
        return f"{{column}} = {given[0]}" if len(given) == 1 else f"{{column}} IN ({', '.join(given)})"
    if term.kind == "days_ago":
        return f"{{column}} < {binds.of_argument(selected, path, pg_type, lambda days: days_before_now(days, path))}"

    def one(value: Any) -> Any:
        if term.id_of is not None:
            return decode_id(value, term.id_of)[1]
        refuse_nul(value, path)
        return _plain(value)

    if term.kind == "any_of" and len(follow(selected.arguments, path)) == 1:
        # In the order of an index that begins with the column, which several values are not.
        return f"{{column}} = {binds.of_argument(selected, path, pg_type, lambda values: one(values[0]))}"
    if term.kind == "any_of":
        bound = binds.of_argument(selected, path, f"{pg_type}[]", lambda values: [one(value) for value in values])
        return f"{{column}} = ANY ({bound})"
    if term.kind == "listed":
        return f"{LINK}.partner_id = {binds.of_argument(selected, path, 'bigint', one)}"
    if term.kind == "meets":
        value_type = "bigint" if term.id_of else pg_type
        value = given[0] if given else binds.of_argument(selected, path, value_type, one)
        return f"({term.sql.format(row='{row}', value=value)})"
    operator = {"equals": "=", "at_least": ">=", "before": "<"}[term.kind]
    return f"{{column}} {operator} {binds.of_argument(selected, path, pg_type, one)}"


def _written(given: Any, kind: str) -> list[str]:
    """SQL of values of which there are so few that each has its own plan; empty for others.

    Written out, so that PostgreSQL takes what it knows of just these, and the indexes over their rows alone.
    """
    values = given if isinstance(given, list) else [given]
    if kind == "bool":
        return ["true" if value else "false" for value in values]
    return [literal(_plain(value)) for value in values] if kind == "enum" else []


def days_before_now(days: int, path: tuple[str, ...]) -> datetime:
    """The moment so many days ago.

    Raises:
        InvalidPage: out of range.
    """
    if not 0 <= days <= MOST_DAYS:
        raise InvalidPage(f"`{path[-1]}` must be between 0 and {MOST_DAYS}, not {days}", field=path)
    return clock.now() - timedelta(days=days)


def _keys(alias: str, column: Any, link: str | None) -> list[str]:
    """The columns of the order; of a link, the columns of its index."""
    if link is not None:
        return [f"{LINK}.{BY_TIME}", f"{LINK}.entry_id"]
    return [f"{alias}.id"] if column is None else [f"{alias}.{column.name}", f"{alias}.id"]


def _keyset(
    selected: Selected, argument: str, order_name: str, column: Any, keys: list[str], sign: str, binds: Binds
) -> str:
    kind = None if column is None else kind_of(column)

    def part(index: int) -> Any:
        return lambda cursor: decode_cursor(cursor, order_name, kind)[index]

    key = binds.of_argument(selected, (argument,), "bigint", part(1))
    if column is None:
        return f"{keys[0]} {sign} {key}"
    value = binds.of_argument(selected, (argument,), "text", part(0))
    return f"({', '.join(keys)}) {sign} ({value}::{PG_TYPES[str(kind)]}, {key})"
