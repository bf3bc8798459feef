"""Inputs and payloads of onboarding (ONB-1)."""

from __future__ import annotations

from typing import Any

import strawberry

from domain.onboarding import OnboardingTaskStatus
from planner.binding import graphql_enum, object_value, plain
from schema.payload import KeyedInput, Payload

graphql_enum(OnboardingTaskStatus)


@strawberry.input(description="A new step of a product.")
class OnboardingStepCreateInput(KeyedInput):
    """A new step of a product."""

    product_id: strawberry.ID = strawberry.field(description="The product.")
    key: str = strawberry.field(
        description="Name for programs, one of a product: lower-case letters, digits, hyphens and underscores."
    )
    title_ru: str = strawberry.field(description="Title in Russian.")
    title_en: str = strawberry.field(description="Title in English.")
    required: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether a run is finished only with it; true unless told."
    )
    typical_days: int | None = strawberry.field(
        default=strawberry.UNSET, description="How long it usually takes, days."
    )
    position: int | None = strawberry.field(default=strawberry.UNSET, description="Its place; the last unless told.")


@strawberry.input(description="Changes of a step; what is left out stays as it is.")
class OnboardingStepUpdateInput(KeyedInput):
    """Changes of a step."""

    id: strawberry.ID = strawberry.field(description="The step.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")
    title_ru: str | None = strawberry.field(default=strawberry.UNSET, description="Title in Russian.")
    title_en: str | None = strawberry.field(default=strawberry.UNSET, description="Title in English.")
    required: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether a run is finished only with it."
    )
    typical_days: int | None = strawberry.field(
        default=strawberry.UNSET, description="How long it usually takes, days."
    )
    position: int | None = strawberry.field(default=strawberry.UNSET, description="Its place.")
    archived: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="true: it vanishes from every onboarding; false: it comes back as it was.",
    )


@strawberry.input(description="An install whose onboarding is to begin.")
class OnboardingStartInput(KeyedInput):
    """An install whose onboarding is to begin."""

    install_id: strawberry.ID = strawberry.field(description="The install.")


@strawberry.input(description="How far a step is.")
class OnboardingTaskInput:
    """How far a step is."""

    key: str = strawberry.field(description="The step's key.")
    status: OnboardingTaskStatus = strawberry.field(description="How far it is; only optional steps are skipped.")


@strawberry.input(description="How far steps of an onboarding are.")
class OnboardingReportInput(KeyedInput):
    """How far steps of an onboarding are."""

    id: strawberry.ID = strawberry.field(description="The onboarding.")
    tasks: list[OnboardingTaskInput] = strawberry.field(description="1 to 100 steps; all are set, or none.")


@strawberry.input(description="Who of us answers for an onboarding.")
class OnboardingAssignInput(KeyedInput):
    """Who of us answers for an onboarding."""

    id: strawberry.ID = strawberry.field(description="The onboarding.")
    responsible_id: strawberry.ID | None = strawberry.field(description="A person of ours, id of a User; null: nobody.")


@strawberry.input(description="A call for help.")
class OnboardingAskForHelpInput(KeyedInput):
    """A call for help."""

    id: strawberry.ID = strawberry.field(description="The onboarding.")
    text: str = strawberry.field(description="What help is needed, at most 2,000 characters.")


@strawberry.input(description="Help that was given.")
class OnboardingResolveHelpInput(KeyedInput):
    """Help that was given."""

    id: strawberry.ID = strawberry.field(description="The onboarding.")


@plain(requires="", description="A step after the change.")
class OnboardingStepPayload(Payload):
    """A step after the change."""

    step: Any = object_value("schema.onboarding.OnboardingStep", "The step; null where there are user errors.")


@plain(requires="", description="An onboarding after the change.")
class OnboardingPayload(Payload):
    """An onboarding after the change."""

    onboarding: Any = object_value("schema.onboarding.Onboarding", "The run; null where there are user errors.")
