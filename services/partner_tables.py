"""Tables of partners, licences and payments as CSV and XLSX files: written whole, read row by row (PAR-5)."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import xlsxwriter
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from core.errors import UserError
from domain.tables import as_typed, harmless

MOST_ROWS = 5_000
MOST_COLUMNS = 50
LONGEST_CELL_CHARS = 10_000
MOST_UNPACKED_BYTES = 100_000_000
MOST_PARTS = 1_000
# What a broken place in a workbook leads to.
_BROKEN = (
    *(ArithmeticError, AttributeError, IndexError, KeyError, OSError, SyntaxError, TypeError, ValueError),
    *(zipfile.BadZipFile, zlib.error, InvalidFileException),
)


class TableFormat(StrEnum):
    """How a table is written."""

    CSV = "csv"
    XLSX = "xlsx"


class UnreadableTable(UserError):
    """The file is not a table of this format, or is larger than what is taken."""

    code = "UNREADABLE_TABLE"


def write_table(format: TableFormat, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """The file; text that a spreadsheet would take for a formula gets a quote before it."""
    shown = ([_cell(value) for value in row] for row in rows)
    return _write_csv(header, shown) if format is TableFormat.CSV else _write_xlsx(header, shown)


def read_table(content: bytes) -> list[list[str]]:
    """The rows of a file, the header first; its format is told by its first bytes, never by its name.

    Raises:
        UnreadableTable: it is neither CSV nor XLSX, or too large once unpacked.
    """
    source = _read_xlsx(content) if content.startswith(b"PK\x03\x04") else _read_csv(content)
    rows: list[list[str]] = []
    for row in source:
        cells = [as_typed(cell.strip()) for cell in row]
        if len(cells) > MOST_COLUMNS or any(len(cell) > LONGEST_CELL_CHARS for cell in cells):
            raise UnreadableTable(f"a row has at most {MOST_COLUMNS} cells of {LONGEST_CELL_CHARS} characters")
        if len(rows) > MOST_ROWS:
            raise UnreadableTable(f"a file has at most {MOST_ROWS} rows; divide it")
        rows.append(cells)
    return rows


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else harmless(str(value))


def _write_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    # With the mark, Excel reads it as UTF-8.
    return out.getvalue().encode("utf-8-sig")


def _write_xlsx(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    out = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, header)
        for number, row in enumerate(rows, 1):
            for column, text in enumerate(row):
                sheet.write_string(number, column, text)
    return out.getvalue()


def _read_csv(content: bytes) -> Iterator[list[str]]:
    for encoding in ("utf-8-sig", "cp1251"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise UnreadableTable("the file is neither UTF-8 nor Windows-1251")
    if "\0" in text:
        raise UnreadableTable("the file is not text")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise UnreadableTable(f"the file is not CSV: {error}") from None


def _read_xlsx(content: bytes) -> Iterator[list[str]]:
    _check_parts(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        # What the file says of its size may be a lie that makes millions of empty cells.
        sheet.reset_dimensions()
        for row in sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS + 1):
            cells = ["" if value is None else _shown(value) for value in row]
            while cells and not cells[-1]:
                cells.pop()
            yield cells
    except UnreadableTable:
        raise
    except _BROKEN as error:
        raise UnreadableTable(f"the file is not XLSX: {type(error).__name__}") from None


def _shown(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _check_parts(content: bytes) -> None:
    """Unpack nothing that could fill the memory or name entities."""
    left = MOST_UNPACKED_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if len(parts.infolist()) > MOST_PARTS:
                raise UnreadableTable("the file has too many parts")
            for part in parts.infolist():
                with parts.open(part) as opened:
                    start = True
                    # The size in the directory may be a lie: what comes out is counted.
                    while chunk := opened.read(1_000_000):
                        left -= len(chunk)
                        if left < 0:
                            raise UnreadableTable(f"the file unpacks to more than {MOST_UNPACKED_BYTES} bytes")
                        if start and b"<!" in chunk[:10_000].replace(b"<!--", b""):
                            raise UnreadableTable("the file declares entities")
                        start = False
    except (zipfile.BadZipFile, RuntimeError, EOFError, OSError, zlib.error) as error:
        raise UnreadableTable(f"the file is not XLSX: {type(error).__name__}") from None
