"""Second phase, at the root: the root's own columns as plain rows, written in Python by generated code.

Shallow parts are fastest as rows of the binary protocol, deep parts as text that PostgreSQL writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import GraphQLNonNull, GraphQLObjectType

from planner.binding import kind_of
from planner.computed import Computations
from planner.cursor import encode_cursor
from planner.nested import expression_sql, field_text
from planner.pages import Page
from planner.scope import Scope
from planner.selection import Selected
from planner.sources import ColumnValue, ConnectionPart, GlobalId, Key, MoneyPart, MoneyValue, SqlValue
from planner.write import fragment, global_id, row_value

Writer = Callable[[list[Any]], Any]
# No GraphQL name holds this, so that it can be replaced in generated code.
_PAGE = "@page"
_ENDS = {"start": f"{_PAGE}[:1]", "end": f"{_PAGE}[-1:]"}
_NAMES = {"gid": global_id, "frag": fragment, "cursor": encode_cursor}


class RowWriter:
    """Collects the columns of the root's rows and the Python expressions that write them."""

    def __init__(self, scope: Scope, type_: GraphQLObjectType, alias: str) -> None:
        self.scope = scope
        self.type = type_
        self.alias = alias
        self.columns: list[str] = []

    def _take(self, sql: str) -> str:
        if sql not in self.columns:
            self.columns.append(sql)
        return f"r[{self.columns.index(sql)}]"

    def row(self, fields: list[Selected]) -> str:
        """The Python expression of one row's object."""
        return "{" + ", ".join(f"{selected.key!r}: {self._field(selected)}" for selected in fields) + "}"

    def edge(self, fields: list[Selected], page: Page) -> str:
        """The Python expression of one row's edge."""
        items = []
        for selected in fields:
            part = selected.source.part if isinstance(selected.source, ConnectionPart) else ""
            if part == "cursor":
                written = self.cursor(page)
            elif part == "node":
                written = self.row(self.scope.selector.children(selected, self.type))
            else:
                written = repr(selected.parent.name)
            items.append(f"{selected.key!r}: {written}")
        return "{" + ", ".join(items) + "}"

    def cursor(self, page: Page) -> str:
        """The Python expression of one row's cursor."""
        value = "None" if page.order_column is None else self._take(f"{self.alias}.{page.order_column}::text")
        return f"cursor({page.order_name!r}, {value}, {self._take(f'{self.alias}.id')})"

    def _field(self, selected: Selected) -> str:
        source = selected.source
        if selected.name == "__typename":
            return repr(self.type.name)
        if isinstance(source, GlobalId):
            return f"gid({f'{self.type.name}:'.encode()!r}, {self._take(f'{self.alias}.id')})"
        if isinstance(source, Key):
            return self._value(f"{self.alias}.id", "bigint")
        if isinstance(source, ColumnValue) and source.column is not None:
            return self._value(f"{self.alias}.{source.column.name}", kind_of(source.column))
        if isinstance(source, SqlValue):
            return self._value(expression_sql(self.scope, selected, source, self.alias), source.kind)
        if isinstance(source, MoneyValue):
            return self._money(selected, source)
        return f"frag({self._take(field_text(self.scope, self.type, selected, self.alias))})"

    def _value(self, expression: str, kind: str) -> str:
        taken = self._take(row_value(expression, kind))
        return f"frag({taken})" if kind == "json" else taken

    def _money(self, selected: Selected, source: MoneyValue) -> str:
        assert source.amount is not None
        assert source.currency is not None
        amount = self._take(row_value(f"{self.alias}.{source.amount.name}", "decimal"))
        items = []
        for child in self.scope.selector.children(selected):
            if isinstance(child.source, MoneyPart):
                of_amount = child.source.part == "amount"
                written = amount if of_amount else self._take(f"{self.alias}.{source.currency.name}")
            else:
                written = "'Money'"
            items.append(f"{child.key!r}: {written}")
        whole = "{" + ", ".join(items) + "}"
        nullable = selected.definition is not None and not isinstance(selected.definition.type, GraphQLNonNull)
        return f"(None if {amount} is None else {whole})" if nullable else whole


def generated(expression: str, computations: Computations) -> Writer:
    """The function `rows -> value` of an expression that this module made; no text of the request is in it."""
    code = compile(f"lambda rows: {expression}", "<planner>", "eval")
    names = dict(_NAMES)
    if computations.fillers:
        names["frag"] = lambda text: fragment(computations.complete(text))
    writer: Writer = eval(code, names)  # noqa: S307
    return writer


def connection_expression(writer: RowWriter, fields: list[Selected], page: Page) -> str:
    """The Python expression of a whole connection over `rows`, with one beyond the page where that is asked about."""
    items = []
    beyond = False
    for selected in fields:
        part = selected.source.part if isinstance(selected.source, ConnectionPart) else ""
        if part == "nodes":
            row = writer.row(writer.scope.selector.children(selected, writer.type))
            written = f"[{row} for r in {_PAGE}]"
        elif part == "edges":
            written = f"[{writer.edge(writer.scope.selector.children(selected), page)} for r in {_PAGE}]"
        elif part == "page_info":
            beyond = True
            written = _page_info(writer, writer.scope.selector.children(selected), page)
        else:
            written = repr(selected.parent.name)
        items.append(f"{selected.key!r}: {written}")
    rows = f"rows[:{page.size}]" if beyond else "rows"
    if page.backward:
        rows = f"{rows}[::-1]"
    return ("{" + ", ".join(items) + "}").replace(_PAGE, rows)


def _page_info(writer: RowWriter, fields: list[Selected], page: Page) -> str:
    more = f"len(rows) > {page.size}"
    beyond = repr(page.beyond)
    cursor = writer.cursor(page)
    ends = {name: f"next(({cursor} for r in {rows}), None)" for name, rows in _ENDS.items()}
    values = {
        "has_next_page": beyond if page.backward else more,
        "has_previous_page": more if page.backward else beyond,
        "start_cursor": ends["start"],
        "end_cursor": ends["end"],
    }
    items = []
    for selected in fields:
        part = selected.source.part if isinstance(selected.source, ConnectionPart) else ""
        items.append(f"{selected.key!r}: {values.get(part, repr('PageInfo'))}")
    return "{" + ", ".join(items) + "}"
