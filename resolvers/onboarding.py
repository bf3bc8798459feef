"""Doors to onboarding (ONB-1)."""

from __future__ import annotations

from typing import Any, cast

import strawberry

from domain import fields
from resolvers.inputs import given, key_of, optional_key
from resolvers.mutation import MutationContext, mutation
from schema.onboarding_inputs import (
    OnboardingAskForHelpInput,
    OnboardingAssignInput,
    OnboardingPayload,
    OnboardingReportInput,
    OnboardingResolveHelpInput,
    OnboardingStartInput,
    OnboardingStepCreateInput,
    OnboardingStepPayload,
    OnboardingStepUpdateInput,
)
from services import onboarding

MOST_REPORTS = 100
_STEP_NULLS = frozenset({"typical_days"})


async def onboarding_step_create(context: MutationContext, input: OnboardingStepCreateInput) -> dict[str, Any]:
    """Add a step to a product; it appears in the onboardings that run (ONB-1)."""
    values = given(input, nullable=_STEP_NULLS)
    step = await onboarding.create_step(
        context.session,
        context.actor,
        product_id=key_of(values.pop("product_id"), "Product", "productId"),
        key=values.pop("key"),
        values=cast(onboarding.StepValues, values),
    )
    return {"step": step.id}


async def onboarding_step_update(context: MutationContext, input: OnboardingStepUpdateInput) -> dict[str, Any]:
    """Change, archive or restore a step of a product (ONB-1)."""
    values = given(input, nullable=_STEP_NULLS)
    step = await onboarding.update_step(
        context.session,
        context.actor,
        step_id=key_of(input.id, "OnboardingStep", "id"),
        version=input.version,
        archived=values.pop("archived", None),
        values=cast(onboarding.StepValues, values),
    )
    return {"step": step.id}


async def onboarding_start(context: MutationContext, input: OnboardingStartInput) -> dict[str, Any]:
    """Begin the onboarding of an install that is older than its product's steps; twice is once (ONB-1)."""
    run = await onboarding.start(
        context.session, context.actor, install_id=key_of(input.install_id, "Install", "installId")
    )
    return {"onboarding": run.id}


async def onboarding_report(context: MutationContext, input: OnboardingReportInput) -> dict[str, Any]:
    """Set how far steps of an onboarding are, forward or back (ONB-1)."""
    fields.whole(len(input.tasks), "tasks", least=1, most=MOST_REPORTS)
    run = await onboarding.report(
        context.session,
        context.actor,
        onboarding_id=key_of(input.id, "Onboarding", "id"),
        reports=[onboarding.Report(task.key, task.status) for task in input.tasks],
    )
    return {"onboarding": run.id}


async def onboarding_assign(context: MutationContext, input: OnboardingAssignInput) -> dict[str, Any]:
    """Name who of us answers for an onboarding (ONB-1)."""
    run = await onboarding.assign(
        context.session,
        context.actor,
        onboarding_id=key_of(input.id, "Onboarding", "id"),
        user_id=optional_key(input.responsible_id, "User", "responsibleId"),
    )
    return {"onboarding": run.id}


async def onboarding_ask_for_help(context: MutationContext, input: OnboardingAskForHelpInput) -> dict[str, Any]:
    """Call for help with an onboarding (ONB-1)."""
    run = await onboarding.ask_for_help(
        context.session, context.actor, onboarding_id=key_of(input.id, "Onboarding", "id"), text=input.text
    )
    return {"onboarding": run.id}


async def onboarding_resolve_help(context: MutationContext, input: OnboardingResolveHelpInput) -> dict[str, Any]:
    """Say that help was given (ONB-1)."""
    run = await onboarding.resolve_help(
        context.session, context.actor, onboarding_id=key_of(input.id, "Onboarding", "id")
    )
    return {"onboarding": run.id}


@strawberry.type(description="Mutations of onboarding.")
class OnboardingMutations:
    """Mutations of onboarding."""

    onboarding_step_create: Any = mutation(onboarding_step_create, OnboardingStepPayload, requires="onboarding:write")
    onboarding_step_update: Any = mutation(onboarding_step_update, OnboardingStepPayload, requires="onboarding:write")
    onboarding_start: Any = mutation(onboarding_start, OnboardingPayload, requires="onboarding:write")
    onboarding_report: Any = mutation(onboarding_report, OnboardingPayload, requires="onboarding:write")
    onboarding_assign: Any = mutation(onboarding_assign, OnboardingPayload, requires="onboarding:write")
    onboarding_ask_for_help: Any = mutation(onboarding_ask_for_help, OnboardingPayload, requires="onboarding:help")
    onboarding_resolve_help: Any = mutation(onboarding_resolve_help, OnboardingPayload, requires="onboarding:write")
