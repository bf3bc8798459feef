"""Runs: begun with an install, stopped and taken up again with it; what its product is told of it (ONB-1).

A run is locked after its install and the steps' product, and before its tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict, NotFound
from core.principal import Principal
from domain import fields
from domain.installs import InstallStatus
from domain.onboarding import OnboardingStatus, OnboardingTaskStatus, TaskState, progress_percent
from models import Install, Onboarding, OnboardingChange, OnboardingStep, OnboardingTask, Product
from policies.scopes import require
from services import audit
from services.loading import load

WRITE = "onboarding:write"


@dataclass(frozen=True)
class KnownTask:
    """One live step at an install."""

    task: OnboardingTask
    step: OnboardingStep


async def begin(session: AsyncSession, actor: Principal, install: Install) -> Onboarding | None:
    """The run of a locked install: begun where its product has steps, taken up again where it was stopped.

    None where there is nothing to go through. Safe to call again and again.
    """
    # Shared with other installs; whoever changes the steps waits for us or makes us wait.
    await session.execute(select(Product.id).where(Product.id == install.product_id).with_for_update(read=True))
    run: Onboarding | None = await session.scalar(
        select(Onboarding).where(Onboarding.install_id == install.id).with_for_update()
    )
    if run is not None and run.status != OnboardingStatus.STOPPED:
        return run
    if run is None:
        if not await session.scalar(text(_HAS_STEPS), {"product": install.product_id}):
            return None
        run = Onboarding(
            partner_id=install.partner_id, product_id=install.product_id, install_id=install.id, moved_at=clock.now()
        )
        session.add(run)
        await session.flush()
        before, action = None, "started"
    else:
        before, action = {"status": run.status}, "resumed"
        run.status = OnboardingStatus.RUNNING
        run.moved_at = clock.now()
    await session.execute(
        text(_FILL), {"run": run.id, "partner": run.partner_id, "product": install.product_id, "keys": None}
    )
    await settle(session, actor, run)
    await note(session, actor, run, action)
    await audit.record(session, actor, f"onboarding.{action}", run, before=before, after={"status": run.status})
    return run


async def start(session: AsyncSession, actor: Principal, *, install_id: int) -> Onboarding:
    """Begin the run of an install that is older than the steps of its product. Twice is once.

    Raises:
        NotFound: there is no such install.
        Conflict: the install is disabled, or its product has no steps.
    """
    require(actor, WRITE, "Mutation.onboardingStart")
    install = await _install(session, actor, install_id)
    run = await begin(session, actor, install)
    if run is None:
        raise Conflict("the product has no onboarding steps", code="NO_STEPS", field=fields.path("installId"))
    return run


async def stop(session: AsyncSession, actor: Principal, install: Install) -> None:
    """Stop the run of a locked install that is being disabled; what was done stays."""
    run: Onboarding | None = await session.scalar(
        select(Onboarding).where(Onboarding.install_id == install.id).with_for_update()
    )
    if run is None or run.status != OnboardingStatus.RUNNING:
        return
    run.status = OnboardingStatus.STOPPED
    await note(session, actor, run, "stopped")
    await audit.record(
        session,
        actor,
        "onboarding.stopped",
        run,
        before={"status": OnboardingStatus.RUNNING},
        after={"status": run.status},
    )


async def for_product(session: AsyncSession, actor: Principal, install_id: int) -> Onboarding:
    """The locked run of an install, for the back end of its product; begun if there is none yet.

    Raises:
        NotFound: it is not an install of the product, or the product has no steps.
        Conflict: the install is disabled.
    """
    own = select(Install.id).where(Install.id == install_id, Install.product_id == actor.product_id)
    if await session.scalar(own) is None:
        raise NotFound.of("Install", field=fields.path("installId"))
    install = await session.get_one(Install, install_id, with_for_update=True, populate_existing=True)
    _check_installed(install)
    run = await begin(session, actor, install)
    if run is None:
        raise NotFound("the product has no onboarding steps", code="NO_STEPS", field=fields.path("installId"))
    return run


async def state_for_product(session: AsyncSession, actor: Principal, install_id: int) -> dict[str, Any]:
    """How far an install is, as its product reads it.

    Raises:
        NotFound: it is not an install of the product, or has no run.
    """
    wanted = select(Onboarding).where(Onboarding.install_id == install_id, Onboarding.product_id == actor.product_id)
    run: Onboarding | None = await session.scalar(wanted)
    if run is None:
        raise NotFound.of("Onboarding", field=fields.path("installId"))
    return await told(session, run)


async def told(session: AsyncSession, run: Onboarding) -> dict[str, Any]:
    """A run as products read it."""
    tasks = await tasks_of(session, run)
    return {
        "onboardingId": str(run.id),
        "installId": str(run.install_id),
        "status": run.status,
        "progressPercent": progress_percent(_states(tasks)),
        "needsHelp": run.needs_help,
        "steps": [
            {
                "key": known.step.key,
                "status": known.task.status,
                "required": known.step.required,
                "title": {"ru": known.step.title_ru, "en": known.step.title_en},
            }
            for known in tasks
        ],
    }


async def tasks_of(session: AsyncSession, run: Onboarding) -> list[KnownTask]:
    """The live steps of a run in their order."""
    rows = await session.execute(
        select(OnboardingTask, OnboardingStep)
        .join(OnboardingStep, OnboardingStep.id == OnboardingTask.step_id)
        .where(OnboardingTask.onboarding_id == run.id, OnboardingStep.archived_at.is_(None))
        .order_by(OnboardingStep.position, OnboardingStep.id)
    )
    return [KnownTask(task, step) for task, step in rows]


async def add_tasks(session: AsyncSession, run: Onboarding, keys: Sequence[str]) -> bool:
    """Bring these steps of the product, younger than the end of the run, into it; whether there were any."""
    added = await session.execute(
        text(f"{_FILL} RETURNING id"),
        {"run": run.id, "partner": run.partner_id, "product": run.product_id, "keys": list(keys)},
    )
    return added.first() is not None


async def settle(session: AsyncSession, actor: Principal, run: Onboarding) -> None:
    """Finish a locked run that has nothing left to do, or open it again."""
    complete = progress_percent(_states(await tasks_of(session, run))) == 100
    if complete == (run.status == OnboardingStatus.FINISHED):
        return
    run.status = OnboardingStatus.FINISHED if complete else OnboardingStatus.RUNNING
    run.finished_at = clock.now() if complete else None
    await note(session, actor, run, "finished" if complete else "reopened")


async def note(
    session: AsyncSession, actor: Principal, run: Onboarding, action: str, step_id: int | None = None
) -> None:
    """Write what happened into the run's history."""
    session.add(
        OnboardingChange(
            partner_id=run.partner_id,
            onboarding_id=run.id,
            action=action,
            step_id=step_id,
            actor=actor.label,
            actor_user_id=actor.user_id,
        )
    )


async def _install(session: AsyncSession, actor: Principal, install_id: int) -> Install:
    install = await load(session, actor, Install, install_id, field="installId", lock=True, references=True)
    _check_installed(install)
    return install


def _check_installed(install: Install) -> None:
    if install.status == InstallStatus.DISABLED:
        raise Conflict("the install is disabled", code="INSTALL_DISABLED", field=fields.path("installId"))


def _states(tasks: list[KnownTask]) -> list[TaskState]:
    return [TaskState(known.step.required, OnboardingTaskStatus(known.task.status)) for known in tasks]


_HAS_STEPS = "SELECT EXISTS (SELECT FROM onboarding_steps WHERE product_id = :product AND archived_at IS NULL)"
_FILL = """
    INSERT INTO onboarding_tasks (partner_id, onboarding_id, step_id)
    SELECT :partner, :run, id FROM onboarding_steps
    WHERE product_id = :product AND archived_at IS NULL AND (CAST(:keys AS text[]) IS NULL OR key = ANY (:keys))
    ON CONFLICT (onboarding_id, step_id) DO NOTHING
"""
