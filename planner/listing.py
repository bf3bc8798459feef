"""The JSON text of a connection, whatever its rows are: nodes, edges, page information, total."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from planner.selection import Selected, Selector
from planner.sources import ConnectionPart
from planner.write import concatenated, literal

Keep = Callable[[str], str]


class NotCompilable(TypeError):
    """A field whose declaration has no meaning in this place; a mistake of ours."""


@dataclass(slots=True)
class Listing:
    """The rows of one connection.

    Parameters:
        alias: what the rows are called where they are written.
        order: the ORDER BY list by which rows are taken, turned round for a page from the back.
        shown: the ORDER BY list in which they are shown.
        size: rows of the page.
        backward: whether the page is taken from the back.
        beyond: whether a cursor says that rows exist on the other side.
        cursor: SQL whose value is the JSON text of a row's cursor.
        counted: SQL whose value is the text of how many rows there are in all.
        rows: the statement of at most so many rows.
        node: SQL whose value is the JSON text of a row, as a field below asks for it.
        below: the context in which what is below the rows is written, given what FROM names.
    """

    alias: str
    order: str
    shown: str
    size: int
    backward: bool
    beyond: bool
    cursor: str
    counted: str
    rows: Callable[[int], str]
    node: Callable[[Selected], str]
    below: Callable[[str], AbstractContextManager[None]]


def listing_text(selector: Selector, selected: Selected, listing: Listing, keep: Keep | None = None) -> str:
    """SQL whose value is the JSON text of a connection.

    Parameters:
        keep: turns the statement of the page's rows into what FROM names; by default a subselect.
    """
    fields = selector.children(selected)
    kinds = [_part(part) for part in fields]
    whole_page = "page_info" in kinds
    takes_rows = whole_page or "nodes" in kinds or "edges" in kinds
    alias = listing.alias
    rows = listing.rows(listing.size + 1 if whole_page else listing.size)
    source = keep(rows) if keep is not None and takes_rows else f"({rows})"
    step = f"{source} {alias}" if keep is not None else f"LATERAL {source} {alias}"
    columns: list[str] = []
    parts = [literal("{")]
    with listing.below(step) if takes_rows else nullcontext():
        for index, (part, kind) in enumerate(zip(fields, kinds, strict=True)):
            parts.append(literal(f'{"," if index else ""}"{part.key}":'))
            if part.name == "__typename":
                parts.append(literal(f'"{part.parent.name}"'))
            elif kind == "total_count":
                parts.append(listing.counted)
            elif kind == "page_info":
                parts.append(_page_info_text(selector, part, listing))
            else:
                columns.append(_row_text(selector, part, kind, listing))
                parts += [literal("["), f"@{len(columns)}", literal("]")]
    parts.append(literal("}"))
    if not takes_rows:
        return f"({concatenated(parts)})"
    if not whole_page:
        listed = {
            f"@{n}": f"coalesce(string_agg({text}, ',' ORDER BY {listing.shown}), '')"
            for n, text in enumerate(columns, 1)
        }
        return f"(SELECT {concatenated([listed.get(part, part) for part in parts])} FROM {source} {alias})"
    direction = " DESC" if listing.backward else ""
    within = f"FILTER (WHERE p.n <= {listing.size})"
    listed = {
        f"@{n}": f"coalesce(string_agg(p.c{n}, ',' ORDER BY p.n{direction}) {within}, '')"
        for n in range(1, len(columns) + 1)
    }
    numbered = [f"{text} AS c{number}" for number, text in enumerate(columns, 1)]
    numbered += [f"row_number() OVER (ORDER BY {listing.order}) AS n", f"{listing.cursor} AS k"]
    text = concatenated([listed.get(part, part) for part in parts])
    # Grouped as a whole even where nothing is aggregated (`hasNextPage` may be known beforehand): always one row.
    return f"(SELECT {text} FROM (SELECT {', '.join(numbered)} FROM {source} {alias}) p GROUP BY ())"


def _part(selected: Selected) -> str:
    return selected.source.part if isinstance(selected.source, ConnectionPart) else ""


def _row_text(selector: Selector, part: Selected, kind: str, listing: Listing) -> str:
    if kind == "nodes":
        return listing.node(part)
    if kind != "edges":
        raise NotCompilable(f"{part.coordinate} is not part of a connection")
    pieces = [literal("{")]
    for index, child in enumerate(selector.children(part)):
        pieces.append(literal(f'{"," if index else ""}"{child.key}":'))
        inner = _part(child)
        if inner == "cursor":
            pieces.append(listing.cursor)
        elif inner == "node":
            pieces.append(listing.node(child))
        else:
            pieces.append(literal(f'"{child.parent.name}"'))
    pieces.append(literal("}"))
    return concatenated(pieces)


def _page_info_text(selector: Selector, selected: Selected, listing: Listing) -> str:
    more = f"(count(*) > {listing.size})::text"
    beyond = literal("true" if listing.beyond else "false")
    # Rows are numbered in the order they were taken: from the back, the first number is the page's last row.
    taken_first, taken_last = (
        f"coalesce((array_agg(p.k ORDER BY p.n{direction}) FILTER (WHERE p.n <= {listing.size}))[1], 'null')"
        for direction in ("", " DESC")
    )
    values = {
        "has_next_page": beyond if listing.backward else more,
        "has_previous_page": more if listing.backward else beyond,
        "start_cursor": taken_last if listing.backward else taken_first,
        "end_cursor": taken_first if listing.backward else taken_last,
    }
    parts = [literal("{")]
    for index, child in enumerate(selector.children(selected)):
        parts.append(literal(f'{"," if index else ""}"{child.key}":'))
        parts.append(values.get(_part(child), literal('"PageInfo"')))
    parts.append(literal("}"))
    return concatenated(parts)
