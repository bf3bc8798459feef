"""Tables as CSV and XLSX files: written row by row, read with suspicion (PAR-5)."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import IO, Any, Self

import xlsxwriter
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from core.errors import UserError
from domain.bulk import TableFormat
from domain.tables import as_typed, harmless

MOST_ROWS = 50_000
# What a sheet holds, by its format.
MOST_SHEET_ROWS = 1_048_575
MOST_COLUMNS = 50
LONGEST_CELL_CHARS = 10_000
MOST_UNPACKED_BYTES = 100_000_000
MOST_PARTS = 1_000
# What a broken place in a workbook leads to.
_BROKEN = (
    *(ArithmeticError, AttributeError, IndexError, KeyError, OSError, SyntaxError, TypeError, ValueError),
    *(zipfile.BadZipFile, zlib.error, InvalidFileException),
)


class UnreadableTable(UserError):
    """The file is not a table of this format, or is larger than what is taken."""

    code = "UNREADABLE_TABLE"


class TooManyRows(UserError):
    """A sheet of this format cannot hold so many rows."""

    code = "TOO_MANY_ROWS"


class TableWriter:
    """Writes a table into a file, in constant memory.

    Text that a spreadsheet would take for a formula gets a quote before it.

    Parameters:
        file: opened for writing bytes; written completely once :meth:`finish` was called. As a context manager the
            writer lets go of what it holds beside the file, whatever happened.
    """

    def __init__(self, file: IO[bytes], format: TableFormat, header: Sequence[str]) -> None:
        self._rows = 0
        if format is TableFormat.CSV:
            # With the mark, Excel reads it as UTF-8.
            self._text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
            self._csv = csv.writer(self._text, lineterminator="\r\n")
            self._book = None
        else:
            options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
            self._book = xlsxwriter.Workbook(file, options)
            self._sheet = self._book.add_worksheet()
        self._write(header)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._book is not None and not self._book.fileclosed:
            self._book.close()

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write some rows.

        Raises:
            TooManyRows: the format holds no more.
        """
        if self._book is not None and self._rows + len(rows) > MOST_SHEET_ROWS + 1:
            raise TooManyRows(f"a workbook holds {MOST_SHEET_ROWS} rows; ask for CSV")
        for row in rows:
            self._write([_cell(value) for value in row])

    def finish(self) -> None:
        """Write what is left, and leave the file open."""
        if self._book is not None:
            self._book.close()
        else:
            self._text.detach()

    def _write(self, cells: Sequence[str]) -> None:
        if self._book is None:
            self._csv.writerow(cells)
        else:
            for column, text in enumerate(cells):
                self._sheet.write_string(self._rows, column, text)
        self._rows += 1


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
