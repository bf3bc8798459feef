"""Codes of authenticator apps: the published vectors, the window, and that none is good twice (ACC-1)."""

from __future__ import annotations

from datetime import UTC, datetime

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.factors import (
    STEP_SECONDS,
    WINDOW_STEPS,
    matching_step,
    new_recovery_code,
    new_secret,
    plain_recovery_code,
    step_of,
)

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
MOMENTS = st.integers(10 * STEP_SECONDS, 2**33).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def code_of(step: int) -> str:
    return pyotp.TOTP(SECRET).generate_otp(step)


# RFC 6238, appendix B, the last six of its eight digits.
@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_published_codes_are_right(seconds: int, code: str) -> None:
    assert matching_step(SECRET, code, datetime.fromtimestamp(seconds, UTC)) == seconds // STEP_SECONDS


@given(MOMENTS, st.integers(-5, 5))
def test_the_window_is_one_step_each_way(moment: datetime, off: int) -> None:
    step = step_of(moment) + off
    found = matching_step(SECRET, code_of(step), moment)
    # Codes of two steps may be equal by chance; then the one in the window is meant.
    assert (found is not None) == any(
        code_of(step_of(moment) + near) == code_of(step) for near in range(-WINDOW_STEPS, WINDOW_STEPS + 1)
    )


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(-1, 1)), max_size=30))
def test_no_code_is_good_twice(attempts: list[tuple[int, int]]) -> None:
    """However time passes and whichever code of the window is typed, a step is accepted at most once."""
    seconds, last, accepted = 1_700_000_000, None, []
    for later, off in attempts:
        seconds += later
        moment = datetime.fromtimestamp(seconds, UTC)
        found = matching_step(SECRET, code_of(step_of(moment) + off), moment, last)
        if found is not None:
            assert abs(found - step_of(moment)) <= WINDOW_STEPS
            accepted.append(found)
            last = found
    assert accepted == sorted(set(accepted))


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12345\0", "-12345", " " * 9])
def test_what_is_no_code_is_wrong(typed: str) -> None:
    assert matching_step(SECRET, typed, datetime.fromtimestamp(59, UTC)) is None


def test_a_code_may_be_typed_as_apps_show_it() -> None:
    assert matching_step(SECRET, "287 082", datetime.fromtimestamp(59, UTC)) == 1


@given(st.booleans(), st.booleans())
def test_recovery_codes_are_read_as_people_type_them(lower: bool, spaced: bool) -> None:
    code = new_recovery_code()
    typed = code.lower() if lower else code
    typed = typed.replace("-", " ") if spaced else typed
    typed = typed.replace("0", "O").replace("1", "l")
    assert plain_recovery_code(typed) == plain_recovery_code(code) == code.replace("-", "")


def test_secrets_are_long_and_fresh() -> None:
    assert len({new_secret() for _ in range(50)}) == 50
    assert len(new_secret()) * 5 >= 160
