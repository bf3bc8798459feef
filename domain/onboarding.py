"""Onboarding: states of a run and of its tasks, who may move them where, and how far a run is (ONB-1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class OnboardingStatus(StrEnum):
    """RUNNING until nothing that counts is open; STOPPED while the product is not installed."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    STOPPED = "STOPPED"


class OnboardingTaskStatus(StrEnum):
    """How far a step is at an install; only optional steps are skipped."""

    TODO = "TODO"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"
    SKIPPED = "SKIPPED"


class OnboardingReporter(StrEnum):
    """Who said so: the product's back end, one of us, or the partner."""

    PRODUCT = "PRODUCT"
    STAFF = "STAFF"
    PARTNER = "PARTNER"


# What a product's reports may do. They come late and twice, so that they only lead onward; our people may correct.
ONWARD: Mapping[OnboardingTaskStatus, frozenset[OnboardingTaskStatus]] = MappingProxyType(
    {
        OnboardingTaskStatus.TODO: frozenset(
            {OnboardingTaskStatus.IN_PROGRESS, OnboardingTaskStatus.DONE, OnboardingTaskStatus.SKIPPED}
        ),
        OnboardingTaskStatus.IN_PROGRESS: frozenset({OnboardingTaskStatus.DONE, OnboardingTaskStatus.SKIPPED}),
        OnboardingTaskStatus.SKIPPED: frozenset({OnboardingTaskStatus.IN_PROGRESS, OnboardingTaskStatus.DONE}),
        OnboardingTaskStatus.DONE: frozenset(),
    }
)


@dataclass(frozen=True)
class TaskState:
    """What progress depends on of one task."""

    required: bool
    status: OnboardingTaskStatus


def moves(reporter: OnboardingReporter, now: OnboardingTaskStatus, then: OnboardingTaskStatus) -> bool:
    """Whether a report changes a task; one that repeats or comes late changes nothing."""
    return now != then and (reporter == OnboardingReporter.STAFF or then in ONWARD[now])


def progress_percent(tasks: Iterable[TaskState]) -> int:
    """How far a run is: the share of the required steps that are done; of all where none is required."""
    known = list(tasks)
    counted = [task for task in known if task.required] or known
    closed = sum(is_closed(task) for task in counted)
    return 100 * closed // len(counted) if counted else 100


def is_closed(task: TaskState) -> bool:
    """Whether nothing is left to do; a required step that was skipped while it was optional is open again."""
    if task.required:
        return task.status == OnboardingTaskStatus.DONE
    return task.status in (OnboardingTaskStatus.DONE, OnboardingTaskStatus.SKIPPED)


# The same in SQL, over the tasks of the run whose alias or parameter is `{run}`.
PROGRESS_SQL = """
    SELECT CASE WHEN required > 0 THEN 100 * required_done / required
                WHEN whole > 0 THEN 100 * closed / whole ELSE 100 END::int
    FROM (
        SELECT count(*) AS whole, count(*) FILTER (WHERE task.status IN ('DONE', 'SKIPPED')) AS closed,
            count(*) FILTER (WHERE step.required) AS required,
            count(*) FILTER (WHERE step.required AND task.status = 'DONE') AS required_done
        FROM onboarding_tasks task JOIN onboarding_steps step ON step.id = task.step_id
        WHERE task.onboarding_id = {run} AND step.archived_at IS NULL) counted
"""
