"""Planner cases as files: `x.graphql`, the statement it becomes (`x.sql`) and its answer (`x.json`) side by side.

The first lines of a `.graphql` file may say `# caller: staff` or `# caller: partner`, and `# variables: {…}`.
`KONTORA_UPDATE_CASES=1` writes the other two files anew; look at the difference before committing it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from core.principal import Principal
from models import Base
from models.base import SEARCH_TEXT
from models.reach import TENANT_SECRETS
from planner.document import Operation
from planner.run import Planner
from planner.write import dumps
from tests.planner.test_read import PARTNER, STAFF, no_mutation, planner, world

__all__ = ["planner", "world"]

FOLDER = Path(__file__).parent / "cases"
CALLERS = {"staff": STAFF, "partner": PARTNER}
UPDATE = os.environ.get("KONTORA_UPDATE_CASES") == "1" and not os.environ.get("CI")


def told(source: str, name: str, default: str) -> str:
    """What a comment at the top of a case says."""
    found = re.search(rf"^# {name}: (.*)$", source, re.MULTILINE)
    return found.group(1) if found else default


def readable(sql: str) -> str:
    """The statement with a line for each clause; every column of a table is `t1.*`, so that a new column is no difference."""
    for table in Base.metadata.tables.values():
        for hidden in (frozenset[str](), TENANT_SECRETS.get(table.name, frozenset())):
            names = [re.escape(column.name) for column in table.columns if column.name not in hidden | {SEARCH_TEXT}]
            every = r"\b(t\d+)\." + names[0] + "".join(rf", \1\.{name}" for name in names[1:]) + r"(?![\w,])"
            sql = re.sub(every, r"\1.*", sql)
    return re.sub(r" (FROM|WHERE|ORDER BY|WITH|CROSS JOIN|UNION) ", r"\n\1 ", sql) + "\n"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.graphql")), ids=lambda path: path.stem)
async def test_case(
    path: Path,
    planner: Planner,
    world: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = path.read_text()
    caller: Principal = CALLERS[told(source, "caller", "staff")]
    variables = orjson.loads(told(source, "variables", "{}"))
    statements: list[str] = []
    fetch = asyncpg.Connection.fetch

    async def kept(self: Any, query: str, *args: Any, **more: Any) -> Any:
        statements.append(query)
        return await fetch(self, query, *args, **more)

    monkeypatch.setattr(asyncpg.Connection, "fetch", kept)
    assert isinstance(planner.prepare(source, None, caller), Operation)
    answer = await planner.execute(source, None, variables, caller, allow_mutation=False, run_mutation=no_mutation)
    assert answer.errors == []
    assert len(statements) == 1
    found = {
        ".sql": readable(statements[0]),
        ".json": orjson.dumps(orjson.loads(dumps(answer.data)), option=orjson.OPT_INDENT_2).decode() + "\n",
    }
    for suffix, text in found.items():
        beside = path.with_suffix(suffix)
        if UPDATE:
            beside.write_text(text)
        assert beside.read_text() == text
