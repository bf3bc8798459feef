"""House rules that a machine can check: names, lengths, docstrings, clocks, journals."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
PACKAGES = (
    *("cli", "web", "resolvers", "workers", "schema", "planner", "services", "ledger"),
    *("gateways", "policies", "models", "domain", "core", "migrations"),
)
LONGEST_FILE_LINES = 450
JOURNAL = {"LedgerAccount", "LedgerEntry", "WalletTransaction"}
WRITERS = {"insert", "update", "delete"}


def sources() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((HOUSE / package).rglob("*.py")):
            if "node_modules" not in path.parts and "versions" not in path.parts:
                yield str(path.relative_to(HOUSE)), path.read_text()


@pytest.mark.parametrize("package", PACKAGES)
def test_each_room_is_loaded_from_this_repository(package: str) -> None:
    assert Path(importlib.import_module(package).__file__ or "").parent == HOUSE / package


def test_no_file_is_too_long_to_read_in_one_sitting() -> None:
    lengths = {name: text.count("\n") for name, text in sources()}
    assert not {name: length for name, length in lengths.items() if length > LONGEST_FILE_LINES}


def test_every_module_begins_with_a_sentence_saying_what_it_is_for() -> None:
    docs = {name: ast.get_docstring(ast.parse(text)) for name, text in sources()}
    assert not [name for name, doc in docs.items() if not doc or not re.search(r"[.):]$", doc.split("\n")[0])]


def test_public_functions_and_classes_say_what_they_mean() -> None:
    silent = []
    for name, text in sources():
        for node in ast.parse(text).body:
            named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if named and not node.name.startswith("_") and not ast.get_docstring(node):  # type: ignore[attr-defined]
                silent.append(f"{name}: {node.name}")  # type: ignore[attr-defined]
    assert not silent


def test_only_the_clock_asks_for_the_time() -> None:
    asking = re.compile(r"\bdatetime\.(now|utcnow|today)\(|\bdate\.today\(|\butcfromtimestamp\(")
    assert [name for name, text in sources() if asking.search(text)] == ["core/clock.py"]


def test_only_the_ledger_writes_the_journal() -> None:
    writing = {
        name
        for name, text in sources()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and (_last(node.func) in JOURNAL or (_last(node.func) in WRITERS and {_last(a) for a in node.args} & JOURNAL))
    }
    assert {name.split("/")[0] for name in writing} == {"ledger"}


def _last(node: ast.AST) -> str:
    """The name itself, or what follows its last dot."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
