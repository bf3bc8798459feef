"""Files of tables: what is written is read back, formulas stay harmless, hostile files are refused (PAR-5)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from domain.bulk import TableFormat
from domain.tables import FORMULA_STARTS, as_typed, harmless
from services.bulk import tables
from services.bulk.tables import MOST_ROWS, TableWriter, TooManyRows, UnreadableTable, read_table

CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20).map(str.strip)
FORMULAS = st.sampled_from(["=1+1", "+7 912", "-5", "@SUM(A1)", "'=x", "''", "=cmd|' /C calc'!A0"])


def write_table(format: TableFormat, header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    out = io.BytesIO()
    with TableWriter(out, format, header) as writer:
        writer.add(rows)
        writer.finish()
    return out.getvalue()


@given(st.one_of(CELLS, FORMULAS))
def test_a_cell_comes_back_and_is_no_formula(cell: str) -> None:
    assert as_typed(harmless(cell)) == cell
    assert not harmless(cell).startswith(FORMULA_STARTS[:-1])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(CELLS.map(lambda cell: f"a{cell}b"), st.one_of(CELLS, FORMULAS)), max_size=5))
@pytest.mark.parametrize("format", list(TableFormat))
def test_what_is_written_is_read_back(format: TableFormat, rows: list[tuple[str, str]]) -> None:
    read = read_table(write_table(format, ["name", "inn"], rows))
    assert [[*row, ""][:2] for row in read] == [["name", "inn"], *(list(row) for row in rows)]


def test_a_workbook_holds_text_never_formulas() -> None:
    content = write_table(TableFormat.XLSX, ["name"], [["=1+1"], ["http://x.test"]])
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    assert [(cell.value, cell.data_type) for (cell,) in sheet.iter_rows(min_row=2)] == [
        ("'=1+1", "s"),
        ("http://x.test", "s"),
    ]


def zipped(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        zipped(bomb=b"0" * 120_000_000),
        zipped(entities=b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'),
        zipped(nothing=b"x"),
        b"PK\x03\x04 broken",
        b"name\n" + b"x\n" * (MOST_ROWS + 1),
        b"name\n" + b"x" * 20_000,
        b"a\0b",
        b'name\n"x',
        b",".join([b"x"] * 60),
    ],
)
def test_files_that_are_no_tables_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadableTable):
        read_table(content)


def test_windows_encoding_and_semicolons_are_read() -> None:
    assert read_table("name;inn\nОрион;1\n".encode("cp1251")) == [["name", "inn"], ["Орион", "1"]]


def test_a_sheet_takes_what_it_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_SHEET_ROWS", 2)
    write_table(TableFormat.XLSX, ["name"], [["a"], ["b"]])
    write_table(TableFormat.CSV, ["name"], [["a"], ["b"], ["c"]])
    with pytest.raises(TooManyRows):
        write_table(TableFormat.XLSX, ["name"], [["a"], ["b"], ["c"]])
