"""Advisory locks have numbers of their own: two things under one number would wait for each other."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOMS = ("core", "migrations", "models", "services", "workers", "ledger", "cli")
NUMBER = re.compile(r"^([A-Z_]+_LOCK) = ([\d_]+)$", re.MULTILINE)


def test_each_lock_has_its_own_number() -> None:
    root = Path(__file__).parents[2]
    files = (path for room in ROOMS for path in (root / room).rglob("*.py"))
    found = [match for path in files for match in NUMBER.findall(path.read_text())]
    taken = Counter(int(number) for _, number in found)
    assert {name for name, number in found if taken[int(number)] > 1} == set()
    assert len(found) >= 7
