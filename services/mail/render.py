"""Writes letters from templates: a template says each thing once, two layouts show it as text and as HTML.

A template sets `subject`, `paragraphs`, and where it has them `action` (`label`, `url`) and `notes`, the small print.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context

TEMPLATES = Path(__file__).parent / "templates"
_FORMATS = {"en": "d MMMM y, HH:mm 'UTC'", "ru": "d MMMM y 'г.', HH:mm 'UTC'"}


@dataclass(frozen=True)
class Written:
    """What a letter says."""

    subject: str
    text: str
    html: str


def write(template: str, locale: str, values: Mapping[str, Any]) -> Written:
    """A letter in one language.

    Raises:
        jinja2.TemplateError: there is no such template, or a value of it is missing; a defect of ours.
    """
    parts = _environment().get_template(f"{locale}/{template}.j2").make_module({**values, "locale": locale})
    subject: str = parts.subject  # type: ignore[attr-defined]
    told = {
        "subject": subject,
        "locale": locale,
        "paragraphs": parts.paragraphs,  # type: ignore[attr-defined]
        "action": getattr(parts, "action", None),
        "notes": getattr(parts, "notes", ()),
    }
    return Written(subject, *(_environment().get_template(f"layout.{form}").render(told) for form in ("txt", "html")))


@pass_context
def _moment(context: Context, value: datetime) -> str:
    locale: str = context["locale"]
    return format_datetime(value, _FORMATS[locale], locale=locale)


@pass_context
def _day(context: Context, value: date) -> str:
    return format_date(value, "long", locale=context["locale"])


@pass_context
def _money(context: Context, value: Decimal, currency: str) -> str:
    return f"{format_decimal(value, '#,##0.00', locale=context['locale'])} {currency}"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(moment=_moment, day=_day, money=_money)
    return made
