"""A partner reaches no other partner's row by anything that the schema has, with either wall alone (ACC-4).

The walk comes from the schema itself: every type, field, connection, filter, order, function and mutation. Whatever
has a number of the other partner's in it, or its mark, is a leak, and so is an answer that tells a row that is not the
caller's from one that is not there.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
import sys
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
)

from core.ids import encode_id
from core.principal import ALL_ROWS, Principal
from models import Base
from models.reach import partner_predicate, scope_column
from planner.answer import Answer
from planner.cursor import encode_cursor
from planner.document import Operation
from planner.projection import permissions_of, project
from planner.run import Planner
from planner.scope import table_of
from planner.selection import binding_of
from planner.write import dumps
from policies import scopes
from policies.permissions import ALL
from policies.roles import PARTNER_PERMISSIONS
from resolvers.mutation import run_mutation
from resolvers.root import planner, schema
from tests.two_tenants import ABSENT, MARK, OTHER, OTHER_ASTRAY, OWN, OWN_ASTRAY, digests, fill, take_other
from tests.walks import node_type, reads

# More permissions than any partner role has: the walls must hold whatever a custom role gives.
MAY = ALL - {ALL_ROWS}
TENANT = Principal(kind="partner", permissions=MAY, user_id=OWN, partner_id=OWN)
SEEN = project(planner.schema, MAY)
OBJECTS = sorted(
    name
    for name, type_ in SEEN.type_map.items()
    if isinstance(type_, GraphQLObjectType)
    and getattr(binding_of(type_), "model", None) is not None
    and "id" in type_.fields
)
LEAK = re.compile(rf"{OTHER}|{OTHER_ASTRAY}|{MARK}")
WANTED = re.compile(r"is not the id of an? (\w+)")
BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")
_keys = itertools.count(1)


@dataclass
class Tally:
    """What was tried, and what came through.

    Parameters:
        alone: what was answered, by what was asked, while there was no other partner; nothing beside it may be told
            now, be it a count or a sum.
    """

    alone: dict[str, str]
    operations: int = 0
    compared: int = 0
    ids: int = 0
    refused: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)

    def look(self, source: str, given: Any, told: str) -> None:
        """Look at one answer; what was asked with is no news."""
        self.operations += 1
        sent = dumps(given).decode()
        self.ids += len(re.findall(rf"{OTHER}|{OTHER_ASTRAY}", decoded(sent)))
        before = self.alone.get(source + sent)
        self.compared += before is not None
        if before not in (None, told):
            self.leaks.append(f"{source[:2000]} {sent} answers otherwise than alone: {_differing(before, told)}")
        data, parted, errors = told.rpartition('"errors":')
        errors = _without_echo(errors, given)
        if "userErrors" in source:
            data = _without_echo(data, given)
        for found in sorted(set(LEAK.findall(decoded(data + parted + errors)))):
            self.leaks.append(f"{found} by {source[:150]} {sent}: {told[:300]}")

    def remember(self, source: str, given: Any, told: str) -> None:
        """Keep what is answered while there is no other partner."""
        self.alone[source + dumps(given).decode()] = told


class PlansAnew(Planner):
    """Reads no document twice, and plans each anew: what the product's planner has planned has both walls in it."""

    def prepare(self, source: str, operation_name: str | None, principal: Principal) -> Operation | Answer:
        """The operation as the product's planner knows it."""
        return planner.prepare(source, operation_name, principal)


def _differing(before: str | None, told: str) -> str:
    return str(
        [pair for pair in zip((before or "").split(","), told.split(","), strict=False) if pair[0] != pair[1]][:5]
    )


def _without_echo(told: str, given: Any) -> str:
    """Messages without what they repeat of the question; they cut long texts short."""
    if isinstance(given, dict | list):
        for inner in given.values() if isinstance(given, dict) else given:
            told = _without_echo(told, inner)
    elif isinstance(given, str) and LEAK.search(decoded(given)):
        told = told.replace(given, "").replace(given[:40], "")
    return told


def decoded(text: str) -> str:
    """The text with what its global ids and cursors say."""
    parts = [text]
    for piece in BASE64.findall(text):
        try:
            parts.append(base64.b64decode(piece, validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):
            continue
    return " ".join(parts)


async def ask(walls: Planner, source: str, given: dict[str, Any], tally: Tally | None = None) -> str:
    """The whole answer as text; where the database itself refuses, that is told."""
    try:
        answer = await walls.execute(source, None, given, TENANT, allow_mutation=True, run_mutation=run_mutation)
        told = dumps({"data": answer.data, "errors": answer.errors}).decode()
    except Exception as error:  # noqa: BLE001 - whatever it is, the client sees a masked error
        if tally is not None:
            tally.refused.append(source)
        told = f"masked {type(error).__name__}"
    if tally is not None:
        tally.look(source, given, told)
    return told


def scoped_objects() -> set[str]:
    """The types whose rows belong to partners."""
    return {name for name in OBJECTS if scope_column(table_of(SEEN.type_map[name])) is not None}


def values(coordinate: str, argument: str, type_: Any) -> list[Any]:
    """What the walk gives where a field insists on an argument: the other's ids, and own rows that point to them."""
    if argument in ("id", "ids"):
        found = [encode_id(type_.name, key) for key in (OTHER, OTHER_ASTRAY, OWN_ASTRAY)]
        return [[one] for one in found] if argument == "ids" else found
    kind = SEEN.query_type.fields[coordinate.partition(".")[2]].args[argument].type  # type: ignore[union-attr]
    return [value_of(kind, argument, coordinate.partition(".")[2], OTHER)]


def value_of(kind: Any, name: str, subject: str, key: int, ids: dict[str, str] | None = None) -> Any:
    """A value of an input type, with ids of the row ``key`` in it; ``ids`` says of which types they must be."""
    while isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    if isinstance(kind, GraphQLList):
        return [value_of(kind.of_type, name, subject, key, ids)]
    if isinstance(kind, GraphQLInputObjectType):
        # What may be left out is left out, but for ids: each is another way to the other's rows.
        return {
            inner: value_of(item.type, inner, subject, key, ids)
            for inner, item in kind.fields.items()
            if isinstance(item.type, GraphQLNonNull) or get_named_type(item.type).name == "ID"
        }
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if kind.name == "ID":
        wanted = subject if name in ("id", "ids") else name.removesuffix("s").removesuffix("Id")
        fitting = [one for one in OBJECTS if wanted.lower().startswith(one.lower())]
        return encode_id((ids or {}).get(name) or max(fitting, key=len, default="Partner"), key)
    if kind.name == "String":
        return f"key-{next(_keys)}" if name == "idempotencyKey" else f"{MARK} {key}"
    plain = {"Int": 1, "Boolean": True, "BigInt": str(key), "Decimal": "1", "DateTime": "2027-01-01T00:00:00Z"}
    return plain.get(kind.name, "2027-01-01")


async def walk_reads(walls: Planner, tally: Tally) -> None:
    """Every root with everything beneath, over lists, own rows that point across, and the other's ids."""
    own: set[str] = set()
    for walk in reads(SEEN, values, depth=2):
        told = await ask(walls, walk.source, walk.variables, tally)
        tally.asked |= walk.asked
        wanted = WANTED.search(told)
        if wanted:
            told = await ask(walls, walk.source, {**walk.variables, "id": encode_id(wanted.group(1), OTHER)}, tally)
        own |= set(re.findall(rf"(\w+):{OWN}\b", decoded(told)))
    reachable = {name for name in scoped_objects() if not name.startswith("Timeline")}
    assert own >= reachable, f"the walls hide the partner's own {sorted(reachable - own)}"


async def walk_pages(walls: Planner, tally: Tally) -> None:
    """Every filter term with the other's value, and every order with a cursor of the other's row."""
    for name, definition in SEEN.query_type.fields.items():  # type: ignore[union-attr]
        if not {"filter", "orderBy"} <= definition.args.keys() or not get_named_type(definition.type).name.endswith(
            "Connection"
        ):
            continue
        row = node_type(get_named_type(definition.type))
        source = (
            f"query($filter: {row.name}Filter, $order: {row.name}Order, $after: String) {{ {name}"
            "(first: 5, filter: $filter, orderBy: $order, after: $after) { totalCount nodes { id } } }"
        )
        terms: Any = get_named_type(definition.args["filter"].type)
        for term, declared in terms.fields.items():
            kind = get_named_type(declared.type)
            every = list(kind.values) if isinstance(kind, GraphQLEnumType) else [None]
            for member in every:
                given = [member] if member and isinstance(declared.type, GraphQLList) else member
                given = given or value_of(declared.type, term, row.name, OTHER)
                told = await ask(walls, source, {"filter": {term: given}}, tally)
                wanted = WANTED.search(told)
                if wanted:
                    await ask(walls, source, {"filter": {term: encode_id(wanted.group(1), OTHER)}}, tally)
        orders: Any = get_named_type(get_named_type(definition.args["orderBy"].type).fields["field"].type)
        for member in orders.values:
            after = ""
            for value in (None, "2026-01-01 00:00:00+00", "1"):
                after = encode_cursor(member, value, OTHER_ASTRAY)
                given = {"order": {"field": member, "direction": "ASC"}, "after": after}
                told = await ask(walls, source, given, tally)
                if "INVALID_CURSOR" not in told:
                    break
            assert "INVALID_CURSOR" not in told, f"no cursor fits {name} in the order {member}"
            await ask(walls, source, {"order": {"field": member, "direction": "DESC"}, "after": after}, tally)


async def denied_equals_absent(walls: Planner, tally: Tally) -> None:
    """Single roots, `node` and `nodes` answer for the other's row as for none."""
    for name in OBJECTS:
        if name not in scoped_objects():
            continue
        source = "query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }"
        denied = await ask(walls, source, {"id": encode_id(name, OTHER)}, tally)
        absent = await ask(walls, source, {"id": encode_id(name, ABSENT)})
        assert denied == absent, (name, denied, absent)


async def walk_functions(walls: Planner, tally: Tally) -> None:
    """Mutations and queries with inputs, over the other's ids: told like absent ones, and nothing of the other's changes."""
    roots = [("mutation", one) for one in SEEN.mutation_type.fields.items()] if SEEN.mutation_type else []
    roots += [("query", one) for one in SEEN.query_type.fields.items() if "input" in one[1].args]  # type: ignore[union-attr]
    for keyword, (name, definition) in roots:
        if "input" not in definition.args:
            continue
        target: Any = get_named_type(definition.type)
        inner = " userErrors { code message field }" if "userErrors" in getattr(target, "fields", {}) else ""
        body = f" {{ __typename{inner} }}" if isinstance(target, GraphQLObjectType) else ""
        source = f"{keyword}($input: {definition.args['input'].type}) {{ {name}(input: $input){body} }}"
        denied, ids = await _settled(walls, tally, source, definition, name, OTHER)
        absent, _ = await _settled(walls, tally, source, definition, name, ABSENT, ids)
        needed = permissions_of(SEEN.mutation_type if keyword == "mutation" else SEEN.query_type, definition)
        # Others are refused before: what partners' users never have by any role, the database need not let them do.
        assert not (needed <= PARTNER_PERMISSIONS and "masked" in (denied[:6], absent[:6])), f"{name}: {denied}"
        same = decoded(denied).replace(str(OTHER), str(ABSENT)) == decoded(absent)
        if ids and not (denied.startswith("masked") and absent.startswith("masked")):
            assert same, f"{name} tells {denied} of the other's, and {absent} of none"


async def _settled(
    walls: Planner, tally: Tally, source: str, definition: Any, name: str, key: int, ids: dict[str, str] | None = None
) -> tuple[str, dict[str, str]]:
    """The answer once every id is of the type that the function wants, as its errors tell; and these types."""
    known: dict[str, str] = dict(ids or {})
    told = ""
    for _ in range(6):
        given = {"input": value_of(definition.args["input"].type, "input", name, key, known)}
        told = await ask(walls, source, given, tally)
        wanted = WANTED.search(told)
        where = re.search(r'"field":\[?"(?:input[".,]+)?(\w+)', told)
        if wanted is None or where is None or known.get(where.group(1)) == wanted.group(1):
            break
        known[where.group(1)] = wanted.group(1)
    return told, known or {"": ""} if "ID" in str(definition.args["input"].type) or _has_id(definition) else known


def _has_id(definition: Any) -> bool:
    kind: Any = get_named_type(definition.args["input"].type)
    return any(get_named_type(item.type).name == "ID" for item in getattr(kind, "fields", {}).values())


async def test_nothing_of_the_other_partner_is_reached(
    owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await fill(owner)
    await take_other(owner)
    alone: dict[str, str] = {}
    with monkeypatch.context() as lonely:
        lonely.setattr(Tally, "look", Tally.remember)
        await walk_reads(planner, Tally(alone))
        await walk_pages(planner, Tally(alone))
    await fill(owner, of=(OTHER,))
    before = await digests(owner)
    # Last with both, for there the walk also tries to change rows.
    for standing in ("only row-level security", "only the predicate", "both"):
        with monkeypatch.context() as fallen:
            walls, tally = planner, Tally(alone)
            if standing == "only row-level security":
                walls = PlansAnew(schema)
                _without_predicate(fallen)
            await _row_level_security(owner, "DISABLE" if standing == "only the predicate" else "ENABLE")
            await walk_reads(walls, tally)
            await denied_equals_absent(walls, tally)
            assert tally.refused == [], "what the database refuses must be refused before, with a reason"
            if standing == "both":
                await walk_pages(walls, tally)
                assert tally.refused == []
                await walk_functions(walls, tally)
        with capsys.disabled():
            types = {one.partition(".")[0] for one in tally.asked}
            print(
                f"\nwalls, {standing}: {len(types)} types, {len(tally.asked)} fields, {tally.operations} operations, "
                f"{tally.ids} ids of the other's tried, {tally.compared} answers compared with those of a lone partner, "
                f"leaks = {len(tally.leaks)}"
            )
        assert tally.leaks == [], standing
    assert await digests(owner) == before, "a row of the other partner has changed"


async def _row_level_security(owner: asyncpg.Connection, how: str) -> None:
    for table in Base.metadata.sorted_tables:
        if partner_predicate(table, "", "") is not None:
            await owner.execute(f"ALTER TABLE {table.name} {how} ROW LEVEL SECURITY")


def _without_predicate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let neither the planner nor the services filter anything."""
    monkeypatch.setattr("planner.scope.scope_condition", lambda *_: None)
    held = scopes.scoped
    for module in list(sys.modules.values()):
        if getattr(module, "scoped", None) is held:
            monkeypatch.setattr(module, "scoped", lambda statement, *_: statement)
