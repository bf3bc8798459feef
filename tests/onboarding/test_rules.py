"""Who moves a step where, and how far a run is (ONB-1)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.onboarding import OnboardingReporter, OnboardingTaskStatus, TaskState, is_closed, moves, progress_percent

STATUSES = st.sampled_from(OnboardingTaskStatus)
TASKS = st.lists(st.builds(TaskState, required=st.booleans(), status=STATUSES), max_size=8)


@given(st.lists(STATUSES, max_size=12))
def test_reports_of_a_product_end_alike_however_often_they_are_repeated(reports: list[OnboardingTaskStatus]) -> None:
    def end(told: list[OnboardingTaskStatus]) -> OnboardingTaskStatus:
        now = OnboardingTaskStatus.TODO
        for then in told:
            now = then if moves(OnboardingReporter.PRODUCT, now, then) else now
        return now

    assert end(reports) == end([*reports, *reports])
    assert (end(reports) == OnboardingTaskStatus.DONE) == (OnboardingTaskStatus.DONE in reports)


@given(STATUSES, STATUSES)
def test_our_people_move_a_step_anywhere(now: OnboardingTaskStatus, then: OnboardingTaskStatus) -> None:
    assert moves(OnboardingReporter.STAFF, now, then) == (now != then)


@given(TASKS)
def test_a_run_is_whole_when_nothing_that_counts_is_open(tasks: list[TaskState]) -> None:
    counted = [task for task in tasks if task.required] or tasks
    percent = progress_percent(tasks)
    assert (percent == 100) == all(is_closed(task) for task in counted)
    assert 0 <= percent <= 100
    done = [TaskState(task.required, OnboardingTaskStatus.DONE) for task in tasks]
    assert progress_percent(done) == 100
