"""Calls for help, and who of us answers for a run (ONB-1)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from domain import fields
from domain.onboarding import OnboardingReporter
from models import Onboarding
from policies.scopes import require
from services import audit
from services.changes import apply
from services.colleagues import check_colleague
from services.loading import load
from services.onboarding import runs

WRITE = "onboarding:write"
HELP = "onboarding:help"
LONGEST_TEXT = 2_000


async def ask_for_help(session: AsyncSession, actor: Principal, *, onboarding_id: int, text: str) -> Onboarding:
    """Say that a run needs help; a later call replaces the words of the one before.

    Raises:
        NotFound: there is no such run in the caller's reach.
        InvalidValue: the text is empty or too long.
    """
    require(actor, HELP, "Mutation.onboardingAskForHelp")
    reporter = OnboardingReporter.PARTNER if actor.is_tenant else OnboardingReporter.STAFF
    run = await load(session, actor, Onboarding, onboarding_id, lock=True, references=True)
    await _ask(session, actor, run, reporter, text)
    return run


async def ask_for_help_from_product(
    session: AsyncSession, actor: Principal, *, install_id: int, text: str
) -> dict[str, Any]:
    """The same, said by the product's back end; gives the run as products read it.

    Raises:
        NotFound: it is not an install of the product, or the product has no steps.
        Conflict: the install is disabled.
        InvalidValue: the text is empty or too long.
    """
    run = await runs.for_product(session, actor, install_id)
    await _ask(session, actor, run, OnboardingReporter.PRODUCT, text)
    return await runs.told(session, run)


async def resolve_help(session: AsyncSession, actor: Principal, *, onboarding_id: int) -> Onboarding:
    """Say that help was given. Twice is once.

    Raises:
        NotFound: there is no such run.
    """
    require(actor, WRITE, "Mutation.onboardingResolveHelp")
    run = await load(session, actor, Onboarding, onboarding_id, lock=True, references=True)
    if run.needs_help:
        run.needs_help = False
        run.help_text = run.help_asked_at = run.help_asked_by = None
        run.moved_at = clock.now()
        await runs.note(session, actor, run, "help_given")
        await audit.record(
            session, actor, "onboarding.help_given", run, before={"needs_help": True}, after={"needs_help": False}
        )
    return run


async def assign(session: AsyncSession, actor: Principal, *, onboarding_id: int, user_id: int | None) -> Onboarding:
    """Name who of us is responsible for a run, or nobody.

    Raises:
        NotFound: there is no such run, or no such person of ours who may sign in.
    """
    require(actor, WRITE, "Mutation.onboardingAssign")
    run = await load(session, actor, Onboarding, onboarding_id, lock=True, references=True)
    await check_colleague(session, user_id, "responsibleId")
    before, after = apply(run, {"responsible_user_id": user_id})
    if after:
        await runs.note(session, actor, run, "assigned")
        await audit.record(session, actor, "onboarding.assign", run, before=before, after=after)
    return run


async def _ask(
    session: AsyncSession, actor: Principal, run: Onboarding, reporter: OnboardingReporter, text: str
) -> None:
    told = text.strip()
    if not told or len(told) > LONGEST_TEXT or "\0" in told:
        raise fields.InvalidValue(f"a call for help has 1 to {LONGEST_TEXT} characters", field=fields.path("text"))
    if run.needs_help and run.help_text == told:
        return
    before = {"needs_help": run.needs_help}
    run.needs_help = True
    run.help_text = told
    run.help_asked_at = clock.now()
    run.help_asked_by = reporter
    await runs.note(session, actor, run, "help_asked")
    # What was said stays out of the trail: people write names and phones there.
    await audit.record(session, actor, "onboarding.ask_for_help", run, before=before, after={"needs_help": True})
