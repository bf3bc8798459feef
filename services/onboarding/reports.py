"""Reports of steps: by products, which only lead onward, and by our people, who may correct (ONB-1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict, NotFound, UserError
from core.principal import Principal
from domain import fields
from domain.onboarding import OnboardingReporter, OnboardingStatus, OnboardingTaskStatus, moves
from models import Onboarding
from policies.scopes import require
from services import audit
from services.loading import load
from services.onboarding import runs

WRITE = "onboarding:write"


class StepRequired(UserError):
    """Only optional steps are skipped."""

    code = "STEP_REQUIRED"


@dataclass(frozen=True)
class Report:
    """How far a step is.

    Parameters:
        key: the step's key.
    """

    key: str
    status: OnboardingTaskStatus


async def report(
    session: AsyncSession, actor: Principal, *, onboarding_id: int, reports: Sequence[Report]
) -> Onboarding:
    """Set steps of a run as our people see them, all or none; a finished run opens again where one is taken back.

    Raises:
        NotFound: there is no such run, or the product has no such step.
        Conflict: the run is stopped, its product being not installed.
        StepRequired: a required step is to be skipped.
    """
    require(actor, WRITE, "Mutation.onboardingReport")
    run = await load(session, actor, Onboarding, onboarding_id, lock=True, references=True)
    if run.status == OnboardingStatus.STOPPED:
        raise Conflict("the product is not installed", code="ONBOARDING_STOPPED", field=fields.path("id"))
    await _apply(session, actor, run, reports, OnboardingReporter.STAFF, "tasks")
    return run


async def report_from_product(
    session: AsyncSession, actor: Principal, *, install_id: int, reports: Sequence[Report]
) -> dict[str, Any]:
    """Move steps of an install onward as its product says, all or none; what repeats or comes late changes nothing.

    Raises:
        NotFound: it is not an install of the product, or the product has no such step.
        Conflict: the install is disabled.
        StepRequired: a required step is to be skipped.
    """
    run = await runs.for_product(session, actor, install_id)
    changed = await _apply(session, actor, run, reports, OnboardingReporter.PRODUCT, "steps")
    return {**await runs.told(session, run), "changed": changed}


async def _apply(
    session: AsyncSession,
    actor: Principal,
    run: Onboarding,
    reports: Sequence[Report],
    reporter: OnboardingReporter,
    field: str,
) -> list[str]:
    known = {task.step.key: task for task in await runs.tasks_of(session, run)}
    missing = [asked.key for asked in reports if asked.key not in known]
    if missing and await runs.add_tasks(session, run, missing):
        known = {task.step.key: task for task in await runs.tasks_of(session, run)}
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for place, asked in enumerate(reports):
        found = known.get(asked.key)
        if found is None:
            raise NotFound(
                f"there is no step {asked.key[:64]!r}", code="UNKNOWN_STEP", field=("input", field, str(place), "key")
            )
        if found.step.required and asked.status == OnboardingTaskStatus.SKIPPED:
            raise StepRequired(f"{asked.key} is required", field=("input", field, str(place), "status"))
        task = found.task
        if not moves(reporter, OnboardingTaskStatus(task.status), asked.status):
            continue
        before.setdefault(asked.key, task.status)
        after[asked.key] = asked.status
        task.status = asked.status
        task.reported_by = reporter
        task.reported_by_user_id = actor.user_id
        task.reported_at = clock.now()
        await runs.note(session, actor, run, asked.status.lower(), found.step.id)
    if after:
        run.moved_at = clock.now()
        await session.flush()
        await runs.settle(session, actor, run)
        await audit.record(session, actor, "onboarding.report", run, before=before, after=after)
    return sorted(after)
