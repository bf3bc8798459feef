"""Bulk operations: imports and exports that run in the background, and the states they go through (PAR-5, API-4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

KEPT_FOR = timedelta(days=7)


class BulkOperationKind(StrEnum):
    """What is done with many rows at once."""

    PARTNER_IMPORT = "PARTNER_IMPORT"
    PAYMENT_IMPORT = "PAYMENT_IMPORT"
    PARTNER_EXPORT = "PARTNER_EXPORT"
    LICENSE_EXPORT = "LICENSE_EXPORT"
    PAYMENT_EXPORT = "PAYMENT_EXPORT"

    @property
    def is_import(self) -> bool:
        """Whether rows come in from a file; otherwise they go out into one."""
        return self in (BulkOperationKind.PARTNER_IMPORT, BulkOperationKind.PAYMENT_IMPORT)


class BulkOperationStatus(StrEnum):
    """How far a bulk operation is; the last three are final."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class TableFormat(StrEnum):
    """How a table is written into a file."""

    CSV = "CSV"
    XLSX = "XLSX"

    @property
    def ending(self) -> str:
        """The file name's ending."""
        return self.value.lower()


BULK_TRANSITIONS: Mapping[BulkOperationStatus, frozenset[BulkOperationStatus]] = MappingProxyType(
    {
        BulkOperationStatus.QUEUED: frozenset(
            {BulkOperationStatus.RUNNING, BulkOperationStatus.FAILED, BulkOperationStatus.CANCELED}
        ),
        # RUNNING again: the worker died, and another one begins anew.
        BulkOperationStatus.RUNNING: frozenset(
            {
                BulkOperationStatus.RUNNING,
                BulkOperationStatus.COMPLETED,
                BulkOperationStatus.FAILED,
                BulkOperationStatus.CANCELED,
            }
        ),
        BulkOperationStatus.COMPLETED: frozenset(),
        BulkOperationStatus.FAILED: frozenset(),
        BulkOperationStatus.CANCELED: frozenset(),
    }
)


def is_final(status: BulkOperationStatus) -> bool:
    """Whether nothing more will happen."""
    return not BULK_TRANSITIONS[status]
