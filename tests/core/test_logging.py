"""What log lines carry, and what is kept out of them (OPS, 152-FZ)."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
import structlog

from core.logging import configure_logging
from core.request import RequestInfo, enter_request

MARK = "ada@kontora.test"
REFUSED = f"DETAIL:  Failing row contains ({MARK},\nin a second line, {MARK})."


@pytest.fixture
def written() -> Any:
    """Writes a line through the processors of the product, all but the last, and gives what came out."""
    before = structlog.get_config()
    configure_logging()
    *processors, _ = structlog.get_config()["processors"]
    structlog.configure(**before)

    def write(**line: Any) -> MutableMapping[str, Any]:
        told: Any = {"event": "it_failed", **line}
        for processor in processors:
            told = processor(None, "error", told)
        return told

    return write


async def test_lines_name_the_request_that_they_belong_to(written: Any) -> None:
    async def within() -> Any:
        enter_request(RequestInfo("of-the-caller"))
        return written()

    assert (await asyncio.create_task(within()))["request_id"] == "of-the-caller"
    assert "request_id" not in written()


@pytest.mark.parametrize("after", ["", "HINT:  Look again.", "[SQL: INSERT INTO users]"])
def test_values_of_rows_that_the_database_refuses_stay_out(written: Any, after: str) -> None:
    try:
        raise ValueError(f"duplicate key\n{REFUSED}\n{after}")
    except ValueError:
        told = written(exc_info=True)["exception"]
    assert "ValueError: duplicate key" in told
    assert MARK not in told
    assert after in told


def test_both_halves_of_a_chain_are_cleared(written: Any) -> None:
    try:
        try:
            raise ValueError(f"inner\n{REFUSED}")
        except ValueError as inner:
            raise RuntimeError(f"outer\n{REFUSED}\n[SQL: SELECT]") from inner
    except RuntimeError:
        told = written(exc_info=True)["exception"]
    assert MARK not in told
    assert "RuntimeError: outer" in told
    assert "[SQL: SELECT]" in told
