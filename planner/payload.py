"""What functions return, projected by the selection: plain values as they are, objects read by their keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLList, GraphQLNonNull

from planner.compile import Draft, Statement
from planner.computed import Shape, get, python_name, shape_of, written
from planner.nested import object_text
from planner.scope import conditions_of, lateral, rows_sql, table_of, where
from planner.selection import Selected, binding_of
from planner.sources import Value
from planner.write import fragment


@dataclass(slots=True)
class PayloadPlan:
    """How one function's answer is written.

    Parameters:
        log: writes down which partners' rows the function has loaded; None for callers who are not logged.
        statement: reads the objects that the answer holds; None where it holds none.
        paths: the way to each object's key in the answer, in the order of the statement's columns.
        shape: what of the function's values is asked for.
    """

    draft: Draft
    log: Statement | None = None
    paths: list[tuple[str, ...]] = field(default_factory=list)
    shape: Shape | None = None
    statement: Statement | None = None

    @property
    def looks(self) -> bool:
        """Whether the answer holds objects of partners."""
        return bool(self.draft.scope.tables)

    def keys_of(self, values: Any) -> list[Any]:
        """The keys of the objects to read."""
        return [_follow(values, path) for path in self.paths]

    def write(self, values: Any, texts: list[str | None]) -> Any:
        """The answer, from the function's values and the objects' JSON texts."""
        return _written(self.shape, values, (), dict(zip(self.paths, texts, strict=True)))


def _written(shape: Shape | None, values: Any, path: tuple[str, ...], objects: Mapping[Any, str | None]) -> Any:
    if path in objects:
        return fragment(objects[path])
    if shape is None or values is None or isinstance(values, (list, tuple)):
        return written(shape, values)
    return {
        key: inner if name is None else _written(inner, get(values, name), (*path, name), objects)
        for key, name, inner in shape
    }


def compile_payload(draft: Draft, root: Selected) -> PayloadPlan:
    """The plan of one function's answer."""
    plan = PayloadPlan(draft, draft.log_only() if draft.logged else None)
    columns: list[str] = []
    _collect(plan, root, (), columns)
    plan.shape = shape_of(draft.scope.selector, root, plan.paths)
    if columns:
        if draft.logged and draft.scope.tables:
            loaded = draft.scope.binds.of_principal("looked", "bigint[]")
            draft.scope.seen.append(f"SELECT unnest({loaded}) AS partner")
        complete = draft.scope.computations.complete
        plan.statement = draft.finish(", ".join(columns), "", lambda rows: [complete(text) for text in rows[0]])
    return plan


def _collect(plan: PayloadPlan, selected: Selected, path: tuple[str, ...], columns: list[str]) -> None:
    scope = plan.draft.scope
    assert selected.definition is not None
    binding = binding_of(selected.type)
    if binding is not None and binding.model is not None:
        table = table_of(selected.type)
        alias = scope.alias()
        scope.binds.slots.append(KeySlot(len(plan.paths)))
        key = f"${len(scope.binds.slots)}"
        several = _is_list(selected.definition.type)
        own = conditions_of(
            scope, table, alias, f"{alias}.id = {'ANY (' if several else ''}{key}::bigint{'[])' if several else ''}"
        )
        with scope.step(table, lateral(rows_sql(scope, table, alias, own, ""), alias)):
            text = object_text(scope, selected.type, scope.selector.children(selected), alias)
        if several:
            link = f"{alias}.id = wanted.id"
            conditions = conditions_of(scope, table, alias)
            columns.append(
                f"(SELECT '[' || coalesce(string_agg({text}, ',' ORDER BY wanted.n), '') || ']' "
                f"FROM unnest({key}::bigint[]) WITH ORDINALITY AS wanted (id, n) "
                f"JOIN {table.name} {alias} ON {link}{where(conditions)})"
            )
        else:
            columns.append(f"(SELECT {text} FROM {table.name} {alias}{where(own)})")
        plan.paths.append(path)
        return
    if selected.node.selection_set is None or _is_list(selected.definition.type):
        return
    for child in scope.selector.children(selected):
        if isinstance(child.source, Value):
            _collect(plan, child, (*path, python_name(child)), columns)


@dataclass(frozen=True, slots=True)
class KeySlot:
    """The parameter that takes the key at ``index`` of the plan's paths."""

    index: int


def _follow(values: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if values is None:
            return None
        values = get(values, name)
    return values


def _is_list(type_: Any) -> bool:
    return isinstance(type_.of_type if isinstance(type_, GraphQLNonNull) else type_, GraphQLList)
