"""Values that Python computes from columns: PostgreSQL leaves marked places in its text, and they are filled in after.

A place is a control character, the number of the computation, and the columns' values as JSON. PostgreSQL escapes
control characters in every text, so that no stored value can look like a place.
"""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson

from planner.binds import Binds
from planner.selection import Selected, Selector
from planner.sources import Computed, Need
from planner.write import json_text

_PLACE = re.compile("\x01(\\d+):([^\x02]*)\x02")
_READ: dict[str, Callable[[Any], Any]] = {
    "bigint": int,
    "decimal": decimal.Decimal,
    "datetime": datetime.datetime.fromisoformat,
}
_JSON_TYPES = frozenset({str, int, float, bool})
# Key in the answer, Python name (None: the text is given), and the shape of what is inside.
Shape = list[tuple[str, str | None, Any]]


@dataclass(slots=True)
class Computations:
    """The computed fields of one statement, for one permission set."""

    permissions: frozenset[str]
    fillers: list[Callable[[list[Any]], bytes]] = field(default_factory=list)

    def place(self, selector: Selector, selected: Selected, source: Computed, alias: str, binds: Binds) -> str:
        """SQL whose value is the place of one computed field."""
        shape = shape_of(selector, selected)
        needs = list(source.needs.items())

        def filled(values: list[Any]) -> bytes:
            given = {name: read(need, value) for (name, need), value in zip(needs, values, strict=True)}
            assert source.function is not None
            return orjson.dumps(written(shape, source.function(self.permissions, given)), option=orjson.OPT_UTC_Z)

        self.fillers.append(filled)
        texts = []
        for _, need in needs:
            named = {"me": binds.of_principal("user_id", "bigint")} if "{me}" in need.sql else {}
            texts.append(json_text(f"({need.sql.format(row=alias, **named)})", need.kind, nullable=True))
        listed = " || ',' || ".join(texts)
        return f"chr(1) || '{len(self.fillers) - 1}:[' || {listed} || ']' || chr(2)"

    def complete(self, text: str | None) -> str | None:
        """The text with every place filled in."""
        if text is None or not self.fillers:
            return text
        return _PLACE.sub(lambda place: self.fillers[int(place[1])](orjson.loads(place[2])).decode(), text)


def read(need: Need, value: Any) -> Any:
    """A need's value as Python has it, from its JSON form."""
    return value if value is None or need.kind not in _READ else _READ[need.kind](value)


def shape_of(
    selector: Selector, selected: Selected, elsewhere: Container[tuple[str, ...]] = (), path: tuple[str, ...] = ()
) -> Shape | None:
    """What of a value is asked for; None for a scalar, and at the paths that are written ``elsewhere``."""
    if selected.node.selection_set is None or path in elsewhere:
        return None
    shape: Shape = []
    for child in selector.children(selected):
        if child.name == "__typename":
            shape.append((child.key, None, child.parent.name))
        else:
            name = python_name(child)
            shape.append((child.key, name, shape_of(selector, child, elsewhere, (*path, name))))
    return shape


def written(shape: Shape | None, values: Any) -> Any:
    """A value as the answer has it."""
    if values is None:
        return None
    if isinstance(values, (list, tuple)):
        return [written(shape, item) for item in values]
    if shape is None:
        return plain(values)
    return {key: inner if name is None else written(inner, get(values, name)) for key, name, inner in shape}


def python_name(selected: Selected) -> str:
    """The Python name of a field."""
    assert selected.definition is not None
    name: str = selected.definition.extensions["strawberry-definition"].python_name
    return name


def plain(value: Any) -> Any:
    """A scalar in its JSON form."""
    if type(value) in _JSON_TYPES:
        return value
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def get(values: Any, name: str) -> Any:
    """A part of a value, by its Python name."""
    # Most are dictionaries; asking an abstract class takes longer than all the rest.
    return values.get(name) if type(values) is dict or isinstance(values, Mapping) else getattr(values, name)
