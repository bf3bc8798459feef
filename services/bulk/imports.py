"""What every import shares: the table's header, its rows, and what is wrong with them (PAR-5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from types import MappingProxyType

from core.errors import Conflict, KontoraError
from core.principal import Principal
from domain.bulk import BulkOperationKind
from policies.scopes import require
from services.bulk.tables import UnreadableTable

MOST_PROBLEMS = 1_000
Progress = Callable[[int, int], Awaitable[None]]

_PERMISSIONS: Mapping[BulkOperationKind, str] = MappingProxyType(
    {BulkOperationKind.PARTNER_IMPORT: "partner:write", BulkOperationKind.PAYMENT_IMPORT: "outside_payment:write"}
)


class Repeated(Conflict):
    """Another row of the file is about the same."""

    code = "REPEATED"


@dataclass(frozen=True)
class Problem:
    """What is wrong with a row: its line in the file from 1, the header's being 1, and the column at fault."""

    row: int
    column: str | None
    code: str
    message: str


@dataclass
class ImportReport:
    """What came of a file; with problems nothing may be kept.

    Parameters:
        matched: payments that find their invoice by themselves, as it looks now.
    """

    rows: int
    created: int = 0
    updated: int = 0
    matched: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether so much is wrong that nobody reads on."""
        return len(self.problems) >= MOST_PROBLEMS

    def refuse(self, row: int, error: KontoraError) -> None:
        """Add what is wrong with a row."""
        self.problems.append(Problem(row, error.field[-1] if error.field else None, error.code, error.message))


@dataclass(frozen=True)
class ImportTable:
    """A table whose header is known and right.

    Parameters:
        rows: lines in the file that are not empty, and their cells by column; a short line lacks its last ones.
    """

    rows: list[tuple[int, Mapping[str, str]]]

    @classmethod
    def of(
        cls, table: list[list[str]], *, needed: Set[str], taken: Set[str], shown: Set[str] = frozenset()
    ) -> ImportTable:
        """Read the header.

        Parameters:
            taken: columns that the import takes, those that it needs among them.
            shown: columns that are left alone.

        Raises:
            UnreadableTable: there is no header; a column is missing, unknown, or there twice.
        """
        header = table[0] if table else []
        named = [name for name in header if name]
        if set(named) - taken - shown or needed - set(named):
            told = f"{', '.join(sorted(needed))} among them; known are {', '.join(sorted(taken))}"
            raise UnreadableTable(f"the first row names columns, {told}")
        if len(set(named)) != len(named):
            raise UnreadableTable("a column is there twice")
        return cls(list(_rows(header, table)))


def require_import(actor: Principal, kind: BulkOperationKind) -> None:
    """Refuse who may not import, or not write such rows.

    Raises:
        Forbidden: a permission is missing.
    """
    require(actor, "bulk_operation:write", f"BulkOperationKind.{kind}")
    require(actor, _PERMISSIONS[kind], f"BulkOperationKind.{kind}")


def _rows(header: list[str], table: list[list[str]]) -> Iterator[tuple[int, Mapping[str, str]]]:
    for number, row in enumerate(table[1:], 2):
        if any(row):
            yield number, {name: cell for name, cell in zip(header, row, strict=False) if name}
