"""What is kept of documents and plans has bounded room, whoever sends however many of them (API-3)."""

from __future__ import annotations

from core.principal import ANONYMOUS
from planner.context import RunContext
from planner.document import Operation, coerced
from planner.kept import Kept
from planner.run import Planner
from planner.selection import NO_VARIABLES
from resolvers.root import schema


def test_what_was_not_used_for_longest_makes_room() -> None:
    kept: Kept[str, int] = Kept(10)
    for key, value in (("a", 1), ("b", 2), ("c", 3)):
        assert kept.put(key, value, weight=3) == value
    assert kept.get("a") == 1
    kept.put("d", 4, weight=4)
    assert [kept.get(key) for key in "abcd"] == [1, None, 3, 4]
    kept.put("d", 5, weight=1)
    assert kept.used == 7
    kept.put("e", 6, weight=11)
    assert (kept.used, kept.get("e"), kept.get("a")) == (0, None, None), "what is larger than the room is not kept"


def test_large_documents_and_many_plans_fill_no_memory() -> None:
    planner = Planner(schema)
    planner._documents.room = planner._plans.room = 4_000
    for number in range(10):
        source = f"{{ viewer {{ n{number}: email {' '.join(f'a{n}: email' for n in range(50))} }} }}"
        operation = planner.prepare(source, None, ANONYMOUS)
        assert isinstance(operation, Operation)
        assert coerced(operation, None) is NO_VARIABLES
        plan = planner.plan(operation, NO_VARIABLES, RunContext.of(ANONYMOUS))
        assert planner.plan(operation, NO_VARIABLES, RunContext.of(ANONYMOUS)) is plan
    assert 0 < planner._documents.used <= 4_000
    assert 0 < planner._plans.used <= 4_000
    assert planner.prepare(source, None, ANONYMOUS) is operation
