"""What every table shares: naming, the bigint key, timestamps, checked enums and money columns."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Identity,
    Index,
    MetaData,
    Numeric,
    String,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

# Name of a column that rows are found by and that nobody reads; where a table has one, reads leave it out.
SEARCH_TEXT = "search_text"


class StrEnumColumn(TypeDecorator[StrEnum]):
    """A text column that holds the members of one enum; `checked` adds the CHECK that goes with it."""

    impl = String
    cache_ok = True

    def __init__(self, enum: type[StrEnum]) -> None:
        super().__init__(32)
        self.enum = enum

    def process_bind_param(self, value: StrEnum | str | None, dialect: Any) -> str | None:
        """Refuse what is not a member before the database does."""
        return None if value is None else self.enum(value).value

    def process_result_value(self, value: str | None, dialect: Any) -> StrEnum | None:
        """The member behind the stored text."""
        return None if value is None else self.enum(value)


def checked(column: str, enum: type[StrEnum]) -> CheckConstraint:
    """The CHECK that keeps ``column`` to the members of ``enum``."""
    members = ", ".join(f"'{member.value}'" for member in enum)
    return CheckConstraint(f"{column} IN ({members})", name=f"{column}_allowed")


def timeline_index(table: str) -> Index:
    """The index that a partner's timeline reads a table by; it serves the foreign key too (PAR-4)."""
    return Index(f"ix_{table}_timeline", "partner_id", "created_at", "id")


class Base(DeclarativeBase):
    """The declarative base of every table."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
        str: Text,
        int: BigInteger,
    }


Money = Annotated[Decimal, mapped_column(Numeric(18, 2))]
Coins = Annotated[Decimal, mapped_column(Numeric(18, 3))]
Currency = Annotated[str, mapped_column(String(3))]


class Keyed:
    """A bigint key and the moment of creation."""

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, sort_order=-10)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=90)


class Updated:
    """The moment of the last change."""

    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now(), sort_order=91)
