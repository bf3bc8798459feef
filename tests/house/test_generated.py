"""What is generated and committed equals what the code says today; `make generated` writes it anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.reference import events_text, permissions_text, schema_text, settings_text, tables_text

HOUSE = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("schema.graphql", schema_text),
        ("docs/permissions.md", permissions_text),
        ("docs/settings.md", settings_text),
        ("docs/events.md", events_text),
        ("docs/tables.md", tables_text),
    ],
)
def test_generated_files_are_current(name: str, text: Callable[[], str]) -> None:
    assert (HOUSE / name).read_text() == text(), f"{name} is old: run `make generated`"
