"""The schema as one permission set sees it: what the caller lacks does not exist (ACC-3)."""

from __future__ import annotations

from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    visit,
)
from graphql.language import DocumentNode

from core.principal import ALL_ROWS
from planner.selection import binding_of, source_of
from planner.sources import Absent, Itself, Merged, RootConnection, RootNode, RootSingle, Shared, ToList, ToMany, ToOne
from policies.scopes import beyond_partners

_LEADS_TO_ROWS = (Absent, Itself, Merged, RootConnection, RootSingle, Shared, ToList, ToMany, ToOne)


def permission_of(parent: Any, field: GraphQLField) -> str:
    """The permission of a field: its own, or its type's; empty where everybody may."""
    source = source_of(field)
    if source is not None and source.requires is not None:
        return source.requires
    binding = binding_of(parent)
    return binding.requires if binding is not None else ""


def permissions_of(parent: Any, field: GraphQLField) -> set[str]:
    """All permissions of a field: its own, and those of the type it leads to, whose mere number tells something."""
    needed = {permission_of(parent, field)} - {""}
    if isinstance(source_of(field), _LEADS_TO_ROWS):
        needed |= permissions_of_rows(_row_type(get_named_type(field.type)))
    return needed


def permissions_of_rows(type_: Any) -> set[str]:
    """All permissions of a type: its own, and the reach of all rows where none belongs to a partner or is for all."""
    binding = binding_of(type_)
    if binding is None:
        return set()
    beyond = binding.model is not None and beyond_partners(binding.model)
    return {binding.requires, ALL_ROWS if beyond else ""} - {""}


def _row_type(type_: Any) -> Any:
    """The type of a connection's rows, or the type itself."""
    if isinstance(type_, GraphQLObjectType) and type_.name.endswith("Connection"):
        return get_named_type(type_.fields["nodes"].type)
    if isinstance(type_, GraphQLObjectType) and type_.name.endswith("Edge"):
        return get_named_type(type_.fields["node"].type)
    return type_


def required_permissions(schema: GraphQLSchema, document: DocumentNode) -> list[tuple[str, str]]:
    """Each field of a valid document with each permission that it needs, as (coordinate, permission)."""
    found: dict[tuple[str, str], None] = {}
    info = TypeInfo(schema)

    class Collector(Visitor):
        def enter_field(self, _node: FieldNode, *_: Any) -> None:
            parent, field = info.get_parent_type(), info.get_field_def()
            if parent is not None and field is not None:
                name = f"{parent.name}.{_node.name.value}"
                for permission in permissions_of(parent, field) or {""}:
                    found[(name, permission)] = None

    visit(document, TypeInfoVisitor(info, Collector()))
    return list(found)


def project(schema: GraphQLSchema, permissions: frozenset[str]) -> GraphQLSchema:
    """The schema without the fields and types that a caller with these permissions lacks."""
    return _Projection(schema, permissions).schema()


class _Projection:
    def __init__(self, schema: GraphQLSchema, permissions: frozenset[str]) -> None:
        self.base = schema
        self.permissions = permissions
        self.made: dict[str, Any] = {}

    def schema(self) -> GraphQLSchema:
        base = self.base
        nodes = [
            self.type(type_)
            for type_ in base.type_map.values()
            if isinstance(type_, GraphQLObjectType) and type_.interfaces and self.visible(type_)
        ]
        return GraphQLSchema(
            query=self.type(base.query_type),
            mutation=self.root(base.mutation_type),
            subscription=self.root(base.subscription_type),
            types=nodes,
            directives=base.directives,
            description=base.description,
        )

    def root(self, type_: GraphQLObjectType | None) -> Any:
        return self.type(type_) if type_ is not None and self.fields(type_) else None

    def visible(self, type_: Any) -> bool:
        if not permissions_of_rows(_row_type(type_)) <= self.permissions:
            return False
        # What is reached through an interface only is gone with it.
        return all(self.visible(interface) for interface in getattr(type_, "interfaces", ()))

    def fields(self, type_: Any) -> dict[str, GraphQLField]:
        return {
            name: field
            for name, field in type_.fields.items()
            if permissions_of(type_, field) <= self.permissions
            and self.visible(get_named_type(field.type))
            and (not isinstance(source_of(field), RootNode) or self.permissions)
        }

    def type(self, type_: Any) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return GraphQLNonNull(self.type(type_.of_type))
        if isinstance(type_, GraphQLList):
            return GraphQLList(self.type(type_.of_type))
        if not isinstance(type_, (GraphQLObjectType, GraphQLInterfaceType)):
            return type_
        if type_.name not in self.made:
            make = GraphQLObjectType if isinstance(type_, GraphQLObjectType) else GraphQLInterfaceType
            self.made[type_.name] = make(
                type_.name,
                fields=lambda: {name: self.field(field) for name, field in self.fields(type_).items()},
                interfaces=lambda: [self.type(interface) for interface in type_.interfaces],
                description=type_.description,
                extensions=type_.extensions,
            )
        return self.made[type_.name]

    def field(self, field: GraphQLField) -> GraphQLField:
        return GraphQLField(
            self.type(field.type),
            args=field.args,
            description=field.description,
            deprecation_reason=field.deprecation_reason,
            extensions=field.extensions,
        )
