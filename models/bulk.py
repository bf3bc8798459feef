"""Imports and exports that run in the background, their files, and what was wrong with rows (PAR-5, API-4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.bulk import BulkOperationKind, BulkOperationStatus, TableFormat
from models.base import Base, Keyed, StrEnumColumn, Updated, checked


class BulkOperation(Keyed, Updated, Base):
    """An import or an export of many rows; ``attempts`` tells this try of a worker from a later one.

    ``permissions`` are those of the caller when it was asked for: the worker may do no more, whatever came since.
    """

    __tablename__ = "bulk_operations"
    __table_args__ = (
        checked("kind", BulkOperationKind),
        checked("status", BulkOperationStatus),
        checked("format", TableFormat),
        CheckConstraint("(kind IN ('PARTNER_IMPORT', 'PAYMENT_IMPORT')) = (format IS NULL)", name="format_of_kind"),
        CheckConstraint("done_count >= 0 AND (row_count IS NULL OR done_count <= row_count)", name="done_in_bounds"),
        Index("ix_bulk_operations_requested_recent", "requested_by_user_id", text("id DESC")),
        Index("ix_bulk_operations_expiry", "expires_at", postgresql_where=text("NOT file_expired")),
        Index(None, "partner_id", "id"),
    )

    kind: Mapped[BulkOperationKind] = mapped_column(StrEnumColumn(BulkOperationKind))
    status: Mapped[BulkOperationStatus] = mapped_column(StrEnumColumn(BulkOperationStatus), server_default="QUEUED")
    format: Mapped[TableFormat | None] = mapped_column(StrEnumColumn(TableFormat))
    dry_run: Mapped[bool] = mapped_column(server_default=text("false"))
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"))
    requested_by_user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    access_reason: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    row_count: Mapped[int | None] = mapped_column(Integer)
    done_count: Mapped[int] = mapped_column(Integer, server_default="0")
    created_count: Mapped[int] = mapped_column(Integer, server_default="0")
    updated_count: Mapped[int] = mapped_column(Integer, server_default="0")
    matched_count: Mapped[int] = mapped_column(Integer, server_default="0")
    problem_count: Mapped[int] = mapped_column(Integer, server_default="0")
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    size_bytes: Mapped[int | None]
    sha256: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    file_expired: Mapped[bool] = mapped_column(server_default=text("false"))


class BulkOperationChunk(Base):
    """A piece of an operation's file: what an import reads, or what an export has written."""

    __tablename__ = "bulk_operation_chunks"

    bulk_operation_id: Mapped[int] = mapped_column(
        ForeignKey("bulk_operations.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class BulkOperationProblem(Keyed, Base):
    """What is wrong with a row of an imported file; its header is row 1."""

    __tablename__ = "bulk_operation_problems"
    __table_args__ = (
        Index("ix_bulk_operation_problems_operation", "bulk_operation_id", "id"),
        Index(None, "partner_id", "id"),
    )

    bulk_operation_id: Mapped[int] = mapped_column(ForeignKey("bulk_operations.id", ondelete="CASCADE"))
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("partners.id"))
    row_number: Mapped[int] = mapped_column(Integer)
    column_name: Mapped[str | None]
    code: Mapped[str]
    message: Mapped[str]
