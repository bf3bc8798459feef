"""Third phase: the roots of an operation become one SQL statement and the function that writes its answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema
from strawberry.utils.str_converters import to_camel_case

from core.errors import Forbidden
from core.ids import InvalidId, decode_id
from planner.binding import MAX_PAGE
from planner.binds import Binds
from planner.listing import NotCompilable
from planner.looks import log_ctes, log_only_sql, scope_sql
from planner.nested import connection_node_type, connection_text, merged_text, object_text
from planner.pages import InvalidPage, page_of
from planner.projection import permissions_of_rows
from planner.rows import RowWriter, Writer, connection_expression, generated
from planner.scope import Scope, conditions_of, lateral, rows_sql, table_of
from planner.selection import Selected, binding_of
from planner.sources import ConnectionPart, Merged, RootConnection, RootNode, RootSingle
from planner.write import fragment

# Stands for all columns of a page that is kept.
_ALL = "kept.*"


@dataclass(slots=True)
class Statement:
    """One SQL statement with its parameters' slots, and how its rows become values of the answer."""

    sql: str
    slots: list[Any]
    write: Writer


@dataclass(slots=True)
class Draft:
    """A statement in the making.

    Parameters:
        fields: coordinates of all fields, for the access log.
        logged: whether a staff member's look at partners' rows must be written down.
        ctes: common table expressions, in order.
    """

    scope: Scope
    document_hash: str
    operation_name: str | None
    fields: list[str]
    logged: bool
    ctes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.held:
            self.scope.way.append("scope")

    @property
    def held(self) -> bool:
        """Whether rows are those of one partner, whom the first expression finds out."""
        return self.scope.principal.is_tenant or self.scope.principal.needs_grant

    def log_only(self) -> Statement:
        """A statement that writes down what a function has looked at, and does nothing else."""
        binds = Binds()
        seen = binds.of_principal("looked", "bigint[]")
        constants = (self.operation_name, self.document_hash, self.fields)
        return Statement(log_only_sql(self.scope.principal, binds, constants, seen), binds.slots, list)

    def keeper(self) -> Callable[[str], str] | None:
        """What keeps a page's rows as a common table expression, so that the log can name the partners."""
        return self.keep if self.logged else None

    def keep(self, rows: str) -> str:
        """Keep these rows; gives the name of the expression."""
        name = f"page{len(self.ctes)}"
        # The setting that policies ask is made first: the rows wait for it.
        source = f"scope CROSS JOIN LATERAL ({rows})" if self.held else f"({rows})"
        self.ctes.append(f"{name} AS MATERIALIZED (SELECT {_ALL} FROM {source} kept)")
        return name

    def finish(self, select: str, rows_from: str, write: Writer) -> Statement:
        """The whole statement: scope, pages, log, and the select list over ``rows_from``."""
        binds = self.scope.binds
        if self.held and (self.scope.tables or self.ctes):
            # One row that everything below depends on, so that no policy is asked before the setting is made.
            self.ctes.insert(0, f"scope AS MATERIALIZED ({scope_sql(self.scope.principal, binds)})")
            rows_from = f" FROM scope{' CROSS JOIN ' + rows_from if rows_from else ''}"
        elif rows_from:
            rows_from = f" FROM {rows_from}"
        if self.logged and self.scope.tables:
            constants = (self.operation_name, self.document_hash, self.fields)
            self.ctes += log_ctes(self.scope.principal, binds, constants, self.scope.seen)
        self.ctes = [_narrowed(cte, " ".join([*self.ctes, select, rows_from])) for cte in self.ctes]
        unused = binds.unused(" ".join([*self.ctes, select, rows_from]))
        if unused:
            # PostgreSQL must see every parameter to know its type; nothing reads this one, so that it costs nothing.
            self.ctes.append(f"unused AS (SELECT {', '.join(unused)})")
        prefix = f"WITH {', '.join(self.ctes)} " if self.ctes else ""
        return Statement(f"{prefix}SELECT {select}{rows_from}", binds.slots, write)


def _narrowed(cte: str, statement: str) -> str:
    """A kept page with only the columns that the rest of the statement names: what is kept is copied, used or not."""
    name = cte.partition(" ")[0]
    rest = statement.replace(cte, "")
    aliases = "|".join(set(re.findall(rf"\b{name} (\w+)", rest)))
    if _ALL not in cte or not aliases or re.search(rf"(?<!\b{name} )\b({aliases})\b(?!\.\w)", rest):
        return cte
    named = sorted({column for _, column in re.findall(rf"\b({aliases})\.(\w+)", rest)})
    return cte.replace(_ALL, ", ".join(f"kept.{column}" for column in named), 1)


def compile_roots(draft: Draft, schema: GraphQLSchema, roots: list[Selected]) -> Statement:
    """The statement of these root fields, all of which read tables."""
    if len(roots) == 1 and isinstance(roots[0].source, (RootConnection, RootSingle)):
        found = _as_rows(draft, roots[0])
        if found is not None:
            return found
    texts = [_root_text(draft, schema, selected) for selected in roots]
    keys = [selected.key for selected in roots]

    complete = draft.scope.computations.complete

    def write(rows: list[Any]) -> dict[str, Any]:
        return {key: fragment(complete(text)) for key, text in zip(keys, rows[0], strict=True)}

    return draft.finish(", ".join(texts), "", write)


def _as_rows(draft: Draft, selected: Selected) -> Statement | None:
    scope = draft.scope
    single = isinstance(selected.source, RootSingle)
    type_ = selected.type if single else connection_node_type(selected)
    fields = scope.selector.children(selected)
    parts = {item.source.part for item in fields if isinstance(item.source, ConnectionPart)}
    if "total_count" in parts:
        return None
    table = table_of(type_)
    alias = scope.alias()
    writer = RowWriter(scope, type_, alias)
    page = None
    if single:
        rows = _by_id_sql(scope, selected, ("id",), type_, alias)
    else:
        base = conditions_of(scope, table, alias)
        page = page_of(selected, table, alias, scope.binds, base, scope.principal.permissions)
        limit = page.size + 1 if "page_info" in parts else page.size
        tail = f"ORDER BY {page.taken} LIMIT {limit}"
        rows = rows_sql(scope, table, alias, page.where, tail, source=page.source)
    source = f"{draft.keep(rows)} {alias}" if draft.logged else lateral(rows, alias)
    with scope.step(table, source):
        if page is None:
            expression = f"next(({writer.row(fields)} for r in rows), None)"
        else:
            expression = connection_expression(writer, fields, page)
    written = generated(f"{{{selected.key!r}: {expression}}}", scope.computations)
    return draft.finish(", ".join(writer.columns) or "1", source, written)


def _by_id_sql(scope: Scope, selected: Selected, path: tuple[str, ...], type_: Any, alias: str) -> str:
    table = table_of(type_)
    name = type_.name
    key = scope.binds.of_argument(selected, path, "bigint", lambda value: decode_id(value, name)[1])
    conditions = conditions_of(scope, table, alias, f"{alias}.id = {key}")
    return rows_sql(scope, table, alias, conditions, "LIMIT 1")


def _root_text(draft: Draft, schema: GraphQLSchema, selected: Selected) -> str:
    scope = draft.scope
    source = selected.source
    if selected.name == "__typename":
        return f"""'"{selected.parent.name}"'"""
    if isinstance(source, RootConnection):
        type_ = connection_node_type(selected)
        table = table_of(type_)
        alias = scope.alias()
        base = conditions_of(scope, table, alias)
        return connection_text(scope, selected, type_, table, alias, base, keep=draft.keeper())
    if isinstance(source, RootSingle):
        alias = scope.alias()
        rows = _by_id_sql(scope, selected, ("id",), selected.type, alias)
        return _single_text(draft, selected, selected.type, rows, alias)
    if isinstance(source, Merged):
        name, id_of = to_camel_case(source.argument), source.id_of
        linked = scope.binds.of_argument(selected, (name,), "bigint", lambda value: decode_id(value, id_of)[1])
        return merged_text(scope, selected, source, linked, keep=draft.keeper())
    if isinstance(source, RootNode):
        return _nodes_text(draft, schema, selected) if source.many else _node_text(draft, schema, selected)
    raise NotCompilable(f"{selected.coordinate} is not a root that reads a table")


def _single_text(draft: Draft, selected: Selected, type_: GraphQLObjectType, rows: str, alias: str) -> str:
    source = f"{draft.keep(rows)} {alias}" if draft.logged else f"({rows}) {alias}"
    with draft.scope.step(table_of(type_), source):
        text = object_text(draft.scope, type_, draft.scope.selector.children(selected, type_), alias)
    return f"coalesce((SELECT {text} FROM {source}), 'null')"


def node_type(schema: GraphQLSchema, name: str, permissions: frozenset[str]) -> GraphQLObjectType | None:
    """The type that a global id names; None where the caller knows no such type.

    Raises:
        Forbidden: the type is known, and the caller may not read it.
    """
    type_ = schema.type_map.get(name)
    binding = binding_of(type_)
    if not isinstance(type_, GraphQLObjectType) or binding is None or binding.model is None:
        return None
    for permission in sorted(permissions_of_rows(type_) - permissions):
        raise Forbidden(permission, name)
    return type_


def _node_text(draft: Draft, schema: GraphQLSchema, selected: Selected) -> str:
    name, _ = decode_id(selected.arguments["id"])
    type_ = node_type(schema, name, draft.scope.principal.permissions)
    if type_ is None:
        raise InvalidId(f"{selected.arguments['id'][:40]!r} is not the id of an object", field=("id",))
    alias = draft.scope.alias()
    return _single_text(draft, selected, type_, _by_id_sql(draft.scope, selected, ("id",), type_, alias), alias)


def _nodes_text(draft: Draft, schema: GraphQLSchema, selected: Selected) -> str:
    ids = selected.arguments["ids"]
    if len(ids) > MAX_PAGE:
        raise InvalidPage(f"at most {MAX_PAGE} ids at once, not {len(ids)}", field=("ids",))
    texts = []
    for index, value in enumerate(ids):
        name, _ = decode_id(value)
        type_ = node_type(schema, name, draft.scope.principal.permissions)
        if type_ is None:
            raise InvalidId(f"{value[:40]!r} is not the id of an object", field=("ids", str(index)))
        alias = draft.scope.alias()
        table = table_of(type_)

        def pick(values: list[str], at: int = index, of: str = name) -> int:
            return decode_id(values[at], of)[1]

        key = draft.scope.binds.of_argument(selected, ("ids",), "bigint", pick)
        conditions = conditions_of(draft.scope, table, alias, f"{alias}.id = {key}")
        rows = rows_sql(draft.scope, table, alias, conditions, "LIMIT 1")
        texts.append(_single_text(draft, selected, type_, rows, alias))
    return "'[' || " + " || ',' || ".join(texts) + " || ']'" if texts else "'[]'"
