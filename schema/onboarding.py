"""Onboarding as the API shows it: steps of products, runs of installs, their tasks and history (ONB-1)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean

import models
from domain.onboarding import PROGRESS_SQL
from planner.binding import (
    Node,
    any_of,
    bound,
    column,
    days_ago,
    equals,
    filter_input,
    meets,
    order_input,
    sql,
    to_list,
    to_many,
    to_one,
)
from schema.colleagues import name_of

READ = "onboarding:read"
LIVE_STEP = "EXISTS (SELECT FROM onboarding_steps s WHERE s.id = {row}.step_id AND s.archived_at IS NULL)"
STEP_ORDER = "(SELECT s.position FROM onboarding_steps s WHERE s.id = {row}.step_id)"

OnboardingStepFilter = filter_input(
    "OnboardingStep",
    {
        "product_id": equals(models.OnboardingStep.product_id, "Only of this product.", id_of="Product"),
        "archived": meets(
            "({row}.archived_at IS NOT NULL) = {value}",
            Boolean(),
            "Only archived ones, or only those in use.",
        ),
    },
)
OnboardingStepOrder = order_input("OnboardingStep", {"POSITION": models.OnboardingStep.position})


@bound(
    models.OnboardingStep,
    requires=READ,
    description="A step that every install of a product goes through: dictionaries, schedule, import (ONB-1).",
)
class OnboardingStep(Node):
    """A step that every install of a product goes through."""

    key: str = column(models.OnboardingStep.key, "Name for programs, one of a product; never changes.")
    title_ru: str = column(models.OnboardingStep.title_ru, "Title in Russian.")
    title_en: str = column(models.OnboardingStep.title_en, "Title in English.")
    required: bool = column(models.OnboardingStep.required, "Whether a run is finished only with it.")
    typical_days: Any = column(models.OnboardingStep.typical_days, "How long it usually takes, days.")
    position: int = column(models.OnboardingStep.position, "Steps go by this number, then by age.")
    archived_at: Any = column(models.OnboardingStep.archived_at, "When it was archived; null while in use.")
    version: int = column(models.OnboardingStep.version, "Version to send back with a change.")
    created_at: Any = column(models.OnboardingStep.created_at, "When it was added.")
    updated_at: Any = column(models.OnboardingStep.updated_at, "When it was last changed.")
    product: Any = to_one(
        "schema.catalog.Product", models.OnboardingStep.product_id, "The product.", requires="product:read"
    )


OnboardingFilter = filter_input(
    "Onboarding",
    {
        "partner_id": equals(models.Onboarding.partner_id, "Only of this partner.", id_of="Partner"),
        "product_id": equals(models.Onboarding.product_id, "Only of this product.", id_of="Product"),
        "status": equals(models.Onboarding.status, "Only in this state."),
        "needs_help": equals(models.Onboarding.needs_help, "Only those that call for help, or only the others."),
        "responsible_id": equals(
            models.Onboarding.responsible_user_id, "Only those of this person of ours, id of a User.", id_of="User"
        ),
        "unassigned": meets(
            "({row}.responsible_user_id IS NULL) = {value}",
            Boolean(),
            "Only those that nobody answers for, or only the others.",
        ),
        "unmoved_for_days": days_ago(
            models.Onboarding.moved_at,
            "Only those that have not moved for so many days; with the state RUNNING, those that are stuck.",
        ),
    },
)
OnboardingOrder = order_input("Onboarding", {"MOVED_AT": models.Onboarding.moved_at})


@bound(models.Onboarding, requires=READ, description="The run of an install through the steps of its product (ONB-1).")
class Onboarding(Node):
    """The run of an install through the steps of its product."""

    status: Any = column(models.Onboarding.status, "Whether it runs, is finished, or waits for the product's return.")
    progress_percent: int = sql(
        PROGRESS_SQL.format(run="{row}.id"),
        int,
        "int",
        "Share of the required steps that are done; of all steps, where none is required. 100 is finished.",
    )
    moved_at: Any = column(models.Onboarding.moved_at, "When a step was last reported, or help was last given.")
    started_at: Any = column(models.Onboarding.created_at, "When it began.")
    finished_at: Any = column(models.Onboarding.finished_at, "When the last step that counts was done.")
    needs_help: bool = column(models.Onboarding.needs_help, "Whether somebody called for help.")
    help_text: Any = column(models.Onboarding.help_text, "What was said.")
    help_asked_at: Any = column(models.Onboarding.help_asked_at, "When.")
    help_asked_by: Any = column(models.Onboarding.help_asked_by, "Who: the product, one of us, or the partner.")
    tasks: Any = to_list(
        "schema.onboarding.OnboardingTask",
        models.OnboardingTask.onboarding_id,
        "The steps in their order, and how far each is; archived ones are left out.",
        order=STEP_ORDER,
        only=LIVE_STEP,
    )
    changes: Any = to_many(
        "schema.onboarding.OnboardingChange", models.OnboardingChange.onboarding_id, "What happened in it."
    )
    partner: Any = to_one(
        "schema.partners.Partner", models.Onboarding.partner_id, "The partner.", requires="partner:read"
    )
    product: Any = to_one(
        "schema.catalog.Product", models.Onboarding.product_id, "The product.", requires="product:read"
    )
    install: Any = to_one(
        "schema.installs.Install", models.Onboarding.install_id, "The install.", requires="install:read"
    )
    responsible: Any = to_one(
        "schema.access.User", models.Onboarding.responsible_user_id, "Who of us answers for it.", requires="user:read"
    )
    responsible_name: Any = name_of("responsible_user_id", "Name of who of us answers for it.")


OnboardingTaskFilter = filter_input(
    "OnboardingTask",
    {
        "partner_id": equals(models.OnboardingTask.partner_id, "Only of this partner.", id_of="Partner"),
        "step_id": equals(models.OnboardingTask.step_id, "Only of this step.", id_of="OnboardingStep"),
        "status": any_of(models.OnboardingTask.status, "Only in these states."),
    },
)
OnboardingTaskOrder = order_input("OnboardingTask")


@bound(models.OnboardingTask, requires=READ, description="How far one step is at one install (ONB-1).")
class OnboardingTask(Node):
    """How far one step is at one install."""

    status: Any = column(models.OnboardingTask.status, "How far it is.")
    reported_by: Any = column(models.OnboardingTask.reported_by, "Who said so last; null where nobody has yet.")
    reported_at: Any = column(models.OnboardingTask.reported_at, "When.")
    step: Any = to_one("schema.onboarding.OnboardingStep", models.OnboardingTask.step_id, "The step.")
    onboarding: Any = to_one("schema.onboarding.Onboarding", models.OnboardingTask.onboarding_id, "The run.")
    reported_by_user: Any = to_one(
        "schema.access.User",
        models.OnboardingTask.reported_by_user_id,
        "The person, if it was one.",
        requires="user:read",
    )


OnboardingChangeFilter = filter_input(
    "OnboardingChange",
    {
        "partner_id": equals(models.OnboardingChange.partner_id, "Only at this partner.", id_of="Partner"),
        "onboarding_id": equals(models.OnboardingChange.onboarding_id, "Only in this run.", id_of="Onboarding"),
    },
)
OnboardingChangeOrder = order_input("OnboardingChange")


@bound(models.OnboardingChange, requires=READ, description="One thing that happened in an onboarding (ONB-1).")
class OnboardingChange(Node):
    """One thing that happened in an onboarding."""

    action: str = column(
        models.OnboardingChange.action,
        "What: started, resumed, stopped, finished, reopened, assigned, help_asked, help_given, or a step's new state.",
    )
    actor: str = column(models.OnboardingChange.actor, "Who, without personal data: user:1, product:2, system.")
    created_at: Any = column(models.OnboardingChange.created_at, "When.")
    step: Any = to_one("schema.onboarding.OnboardingStep", models.OnboardingChange.step_id, "The step, if it was one.")
    onboarding: Any = to_one("schema.onboarding.Onboarding", models.OnboardingChange.onboarding_id, "The run.")
    actor_user: Any = to_one(
        "schema.access.User", models.OnboardingChange.actor_user_id, "The person, if it was one.", requires="user:read"
    )
