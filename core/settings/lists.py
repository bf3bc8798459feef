"""Settings that are lists, comma-separated in the environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode


def _parts(value: object) -> object:
    return [part.strip().lower() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _descending(days: tuple[int, ...]) -> tuple[int, ...]:
    if list(days) != sorted(set(days), reverse=True) or (days and days[-1] < 1):
        raise ValueError("days are whole numbers from 1 up, each smaller than the one before")
    return days


def _ascending(days: tuple[int, ...]) -> tuple[int, ...]:
    if not days or list(days) != sorted(set(days)) or days[0] < 0:
        raise ValueError("days are whole numbers from 0 up, each larger than the one before")
    return days


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parts)]
Days = Annotated[tuple[int, ...], NoDecode, BeforeValidator(_parts)]
# Days before something, the earliest first; days after something, the earliest first.
DaysBefore = Annotated[Days, AfterValidator(_descending)]
DaysAfter = Annotated[Days, AfterValidator(_ascending)]
