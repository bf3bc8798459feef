"""Every mutation writes to the audit trail: its function reaches `services.audit.record`, whoever writes it (ACC-6)."""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from planner.selection import source_of
from planner.sources import RootFunction
from resolvers.root import planner
from services import audit
from tests.api import TOLD_LATER

OURS = ("resolvers.", "services.", "services", "ledger.", "ledger", "workers.")


def mutation_functions() -> dict[str, Callable[..., Any]]:
    """The function behind each field of the mutation type."""
    assert planner.schema.mutation_type is not None
    found = {}
    for name, field in planner.schema.mutation_type.fields.items():
        source = source_of(field)
        assert isinstance(source, RootFunction)
        assert source.function is not None
        found[name] = source.function
    return found


def test_every_mutation_reaches_the_audit_trail() -> None:
    silent = [name for name, function in mutation_functions().items() if not _audited(TOLD_LATER.get(name, function))]
    assert silent == []


def _audited(function: Callable[..., Any]) -> bool:
    """Whether what the function calls, and what that calls, holds `audit.record`."""
    pending, seen = [function], set()
    while pending:
        called = pending.pop()
        if called is audit.record:
            return True
        if called in seen or not isinstance(called, FunctionType) or not called.__module__.startswith(OURS):
            continue
        seen.add(called)
        pending += _named(called, called.__code__)
    return False


def _named(function: FunctionType, code: CodeType) -> Iterator[Any]:
    """The functions that code names, by global names and what is behind their dots."""
    current: Any = None
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            current = function.__globals__.get(step.argval)
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and isinstance(current, (ModuleType, type)):
            current = getattr(current, step.argval, None)
        else:
            current = None
        if isinstance(current, FunctionType):
            yield current
        if isinstance(current, type) and current.__module__.startswith(OURS):
            yield from (member for member in vars(current).values() if isinstance(member, FunctionType))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _named(function, constant)
