"""Onboarding: the steps of a product, the run of an install through them, and what changed in it (ONB-1)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.onboarding import OnboardingReporter, OnboardingStatus, OnboardingTaskStatus
from models.base import Base, Keyed, StrEnumColumn, Updated, checked, timeline_index


class OnboardingStep(Keyed, Updated, Base):
    """A step that every install of a product goes through; archived rather than deleted."""

    __tablename__ = "onboarding_steps"
    __table_args__ = (
        UniqueConstraint("product_id", "key"),
        CheckConstraint("typical_days > 0", name="typical_days_positive"),
    )

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    key: Mapped[str]
    title_ru: Mapped[str]
    title_en: Mapped[str]
    required: Mapped[bool] = mapped_column(server_default=text("true"))
    typical_days: Mapped[int | None] = mapped_column(Integer)
    position: Mapped[int] = mapped_column(Integer)
    archived_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")


class Onboarding(Keyed, Base):
    """The run of an install through the steps of its product; ``moved_at`` is its last movement."""

    __tablename__ = "onboardings"
    __table_args__ = (
        checked("status", OnboardingStatus),
        checked("help_asked_by", OnboardingReporter),
        CheckConstraint("(status = 'FINISHED') = (finished_at IS NOT NULL)", name="finished_when"),
        CheckConstraint("needs_help = (help_asked_at IS NOT NULL)", name="help_asked_when"),
        Index("ix_onboardings_movement", "status", "moved_at", "id"),
        Index("ix_onboardings_help", "id", postgresql_where=text("needs_help")),
        Index("ix_onboardings_responsible", "responsible_user_id", "id"),
        Index("ix_onboardings_product", "product_id", "status", "id"),
        Index(None, "partner_id", "id"),
        Index(None, "moved_at", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    install_id: Mapped[int] = mapped_column(ForeignKey("installs.id"), unique=True)
    status: Mapped[OnboardingStatus] = mapped_column(StrEnumColumn(OnboardingStatus), server_default="RUNNING")
    moved_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    responsible_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    needs_help: Mapped[bool] = mapped_column(server_default=text("false"))
    help_text: Mapped[str | None]
    help_asked_at: Mapped[datetime | None]
    help_asked_by: Mapped[OnboardingReporter | None] = mapped_column(StrEnumColumn(OnboardingReporter))


class OnboardingTask(Keyed, Base):
    """One step at one install: how far it is, and who said so when."""

    __tablename__ = "onboarding_tasks"
    __table_args__ = (
        UniqueConstraint("onboarding_id", "step_id"),
        checked("status", OnboardingTaskStatus),
        checked("reported_by", OnboardingReporter),
        Index(None, "partner_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    onboarding_id: Mapped[int] = mapped_column(ForeignKey("onboardings.id"))
    step_id: Mapped[int] = mapped_column(ForeignKey("onboarding_steps.id"), index=True)
    status: Mapped[OnboardingTaskStatus] = mapped_column(StrEnumColumn(OnboardingTaskStatus), server_default="TODO")
    reported_by: Mapped[OnboardingReporter | None] = mapped_column(StrEnumColumn(OnboardingReporter))
    reported_by_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    reported_at: Mapped[datetime | None]


class OnboardingChange(Keyed, Base):
    """One thing that happened in a run. Insert-only."""

    __tablename__ = "onboarding_changes"
    __table_args__ = (
        timeline_index("onboarding_changes"),
        Index(None, "onboarding_id", "id"),
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey("partners.id"))
    onboarding_id: Mapped[int] = mapped_column(ForeignKey("onboardings.id"))
    action: Mapped[str]
    step_id: Mapped[int | None] = mapped_column(ForeignKey("onboarding_steps.id"))
    actor: Mapped[str]
    actor_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
