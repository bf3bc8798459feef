"""Cells of tables for spreadsheets: formulas are kept from running, and come back as they were (PAR-5)."""

from __future__ import annotations

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "'")
QUOTE = "'"


def harmless(text: str) -> str:
    """The text with a quote before it where a spreadsheet would take it for a formula."""
    return QUOTE + text if text.startswith(FORMULA_STARTS) else text


def as_typed(text: str) -> str:
    """The text without the quote that :func:`harmless` put before it."""
    return text[1:] if text.startswith(QUOTE) and text[1:].startswith(FORMULA_STARTS) else text
