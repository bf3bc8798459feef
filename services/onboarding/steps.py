"""The steps of a product, as data: added, changed and archived, in the running onboardings too (ONB-1)."""

from __future__ import annotations

from typing import Any, TypedDict

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict, NotFound
from core.principal import Principal
from domain import fields
from domain.onboarding import PROGRESS_SQL
from models import OnboardingStep, Product
from policies.scopes import require, scoped
from services import audit
from services.changes import apply, next_version, unique
from services.loading import load

WRITE = "onboarding:write"
MOST_STEPS = 100
LONGEST_TYPICAL_DAYS = 3_650
LARGEST_POSITION = 1_000_000
POSITION_GAP = 10


class StepValues(TypedDict, total=False):
    """What may be said of a step; what is left out stays as it is."""

    title_ru: str
    title_en: str
    required: bool
    typical_days: int | None
    position: int


async def create_step(
    session: AsyncSession, actor: Principal, *, product_id: int, key: str, values: StepValues
) -> OnboardingStep:
    """Add a step to a product; it appears in the running onboardings, and comes last unless told.

    Raises:
        NotFound: there is no such product.
        Conflict: the product has a step of this key, or as many steps as it may have.
        InvalidValue: a value is not fit for its field.
    """
    require(actor, WRITE, "Mutation.onboardingStepCreate")
    checked = _checked(values)
    key = fields.code(key, "key")
    product = await load(session, actor, Product, product_id, field="productId", lock=True, references=True)
    live = (OnboardingStep.product_id == product.id, OnboardingStep.archived_at.is_(None))
    count, last = (await session.execute(select(func.count(), func.max(OnboardingStep.position)).where(*live))).one()
    if count >= MOST_STEPS:
        raise Conflict(f"a product has at most {MOST_STEPS} steps", field=fields.path("productId"))
    step = OnboardingStep(product_id=product.id, key=key, **{"position": (last or 0) + POSITION_GAP, **checked})
    async with unique(session, "uq_onboarding_steps_product_id", "the product has a step of this key", "key"):
        session.add(step)
    await _spread(session, step)
    await audit.record(session, actor, "onboarding_step.create", step, before=None, after={"key": key, **checked})
    return step


async def update_step(
    session: AsyncSession,
    actor: Principal,
    *,
    step_id: int,
    version: int,
    values: StepValues,
    archived: bool | None = None,
) -> OnboardingStep:
    """Change a step. Archived, it vanishes from every onboarding; restored, it comes back as it was.

    Raises:
        NotFound: there is no such step.
        Conflict: somebody changed it in between.
        InvalidValue: a value is not fit for its field.
    """
    require(actor, WRITE, "Mutation.onboardingStepUpdate")
    product_id = await session.scalar(
        scoped(select(OnboardingStep.product_id).where(OnboardingStep.id == step_id), OnboardingStep, actor)
    )
    if product_id is None:
        raise NotFound.of("OnboardingStep", field=fields.path("id"))
    await load(session, actor, Product, product_id, lock=True, references=True)
    step = await session.get_one(OnboardingStep, step_id, populate_existing=True)
    next_version(step, version)
    changes: dict[str, Any] = _checked(values)
    if archived is not None and archived != (step.archived_at is not None):
        changes["archived_at"] = clock.now() if archived else None
    before, after = apply(step, changes)
    await session.flush()
    if after.get("archived_at", step) is None:
        await _spread(session, step)
    if {"archived_at", "required"} & after.keys():
        await _finish_complete(session, product_id)
    await audit.record(session, actor, "onboarding_step.update", step, before=before, after=after)
    return step


# Reports lock their run: once all running ones are locked here, the statements after it see what was reported.
_LOCK = text("SELECT id FROM onboardings WHERE product_id = :product AND status = 'RUNNING' ORDER BY id FOR UPDATE")
_SPREAD = text("""
    INSERT INTO onboarding_tasks (partner_id, onboarding_id, step_id)
    SELECT partner_id, id, :step FROM onboardings WHERE product_id = :product AND status = 'RUNNING'
    ON CONFLICT (onboarding_id, step_id) DO NOTHING
""")
_FINISH = text(f"""
    WITH finished AS (
        UPDATE onboardings SET status = 'FINISHED', finished_at = :now, moved_at = :now
        WHERE product_id = :product AND status = 'RUNNING' AND ({PROGRESS_SQL.format(run="onboardings.id")}) = 100
        RETURNING id, partner_id
    )
    INSERT INTO onboarding_changes (partner_id, onboarding_id, action, actor)
    SELECT partner_id, id, 'finished', 'system' FROM finished
""")  # noqa: S608 - an expression of the domain's


async def _spread(session: AsyncSession, step: OnboardingStep) -> None:
    """Bring a step into the running onboardings of its locked product."""
    await session.execute(_LOCK, {"product": step.product_id})
    await session.execute(_SPREAD, {"product": step.product_id, "step": step.id})


async def _finish_complete(session: AsyncSession, product_id: int) -> None:
    """Finish the onboardings of a locked product that have nothing left to do."""
    await session.execute(_LOCK, {"product": product_id})
    await session.execute(_FINISH, {"product": product_id, "now": clock.now()})


def _checked(values: StepValues) -> dict[str, Any]:
    checked: dict[str, Any] = dict(values)
    for name, told in (("title_ru", "titleRu"), ("title_en", "titleEn")):
        if name in checked:
            checked[name] = fields.line(checked[name], told)
    if checked.get("typical_days") is not None:
        fields.whole(checked["typical_days"], "typicalDays", least=1, most=LONGEST_TYPICAL_DAYS)
    if "position" in checked:
        fields.whole(checked["position"], "position", least=0, most=LARGEST_POSITION)
    return checked
