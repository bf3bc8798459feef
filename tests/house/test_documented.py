"""What the guides and examples say exists: operations, fields, settings, commands and the pages that they link to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import GraphQLSyntaxError, parse, validate
from typer.main import get_command

from cli.main import app
from core.settings import Settings
from resolvers.root import schema
from tests.house.test_sources import HOUSE

PAGES = [HOUSE / "README.md", HOUSE / "CONTRIBUTING.md", *sorted((HOUSE / "docs").rglob("*.md"))]
TYPES = schema._schema.type_map
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
OPERATION = re.compile(r"\s*(query|mutation|subscription)\b[^{]*\{")


def named(path: Path) -> str:
    return str(path.relative_to(HOUSE))


def operations() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, (language, text) in enumerate(FENCED.findall(page.read_text())):
            if language == "graphql":
                yield f"{named(page)} {number}", text
    for path in sorted((HOUSE / "client-examples").glob("*.py")):
        tree = ast.parse(path.read_text())
        pieces = {id(piece) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for piece in node.values}
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and id(node) not in pieces else None
            if isinstance(text, str) and OPERATION.match(text):
                yield f"{named(path)} {node.lineno}", text


@pytest.mark.parametrize(("where", "source"), [pytest.param(*one, id=one[0]) for one in operations()])
def test_every_operation_that_is_shown_is_valid(where: str, source: str) -> None:
    try:
        document = parse(source)
    except GraphQLSyntaxError as error:
        pytest.fail(f"{where}: {error}")
    assert not [error.message for error in validate(schema._schema, document)], where


def code(page: Path) -> str:
    return "\n".join(re.findall(r"`([^`\n]+)`", FENCED.sub("", page.read_text())))


def test_every_field_that_is_named_exists() -> None:
    wrong = []
    for page in PAGES:
        for type_name, field in re.findall(r"\b([A-Z][A-Za-z]+)\.([a-z]\w*)\b", code(page)):
            type_ = TYPES.get(type_name)
            if type_ is not None and field not in getattr(type_, "fields", {}):
                wrong.append(f"{named(page)}: {type_name}.{field}")
    assert not wrong


def test_every_setting_that_is_named_exists() -> None:
    known = {f"KONTORA_{name.upper()}" for name in Settings.model_fields}
    wrong = {
        f"{named(page)}: {setting}"
        for page in PAGES
        for setting in re.findall(r"\bKONTORA_[A-Z0-9_]*[A-Z0-9]\b", page.read_text())
        if setting not in known
    }
    assert not wrong


def test_every_command_that_is_named_exists() -> None:
    command = get_command(app)
    wrong = []
    for page in PAGES:
        for words in re.findall(r"(?:^|`|\./|bin/|\$ )kontora ([a-z][a-z -]*)", page.read_text(), re.MULTILINE):
            first, *others = words.split()
            known = command.commands  # type: ignore[attr-defined]
            if first not in known or (
                hasattr(known[first], "commands") and others and others[0] not in known[first].commands
            ):
                wrong.append(f"{named(page)}: kontora {words}")
    assert not wrong


def test_every_page_that_is_linked_to_exists() -> None:
    wrong = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists():
                wrong.append(f"{named(page)}: {target}")
    assert not wrong


def test_every_file_that_is_named_exists() -> None:
    wrong = [
        f"{named(page)}: {path}"
        for page in PAGES
        if "decisions" not in page.parts
        for path in re.findall(r"(?<![\w./-])((?:[a-z_]+/)+[\w-]+\.(?:py|md|js|sh|graphql|yml))\b", code(page))
        if not (HOUSE / path).exists() and not (page.parent / path).exists()
    ]
    assert not wrong
