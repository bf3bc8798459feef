"""Steps of products, and runs of installs through them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Steps of products, and runs of installs through them."""
    op.create_table(
        "onboarding_steps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("title_ru", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("required", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("typical_days", sa.Integer(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("typical_days > 0", name=op.f("ck_onboarding_steps_typical_days_positive")),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_onboarding_steps_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_onboarding_steps")),
        sa.UniqueConstraint("product_id", "key", name=op.f("uq_onboarding_steps_product_id_key")),
    )
    op.create_table(
        "onboardings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("install_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=32), server_default="RUNNING", nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("responsible_user_id", sa.BigInteger(), nullable=True),
        sa.Column("needs_help", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("help_text", sa.Text(), nullable=True),
        sa.Column("help_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("help_asked_by", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(status = 'FINISHED') = (finished_at IS NOT NULL)", name=op.f("ck_onboardings_finished_when")
        ),
        sa.CheckConstraint(
            "help_asked_by IN ('PRODUCT', 'STAFF', 'PARTNER')", name=op.f("ck_onboardings_help_asked_by_allowed")
        ),
        sa.CheckConstraint("status IN ('RUNNING', 'FINISHED', 'STOPPED')", name=op.f("ck_onboardings_status_allowed")),
        sa.CheckConstraint("needs_help = (help_asked_at IS NOT NULL)", name=op.f("ck_onboardings_help_asked_when")),
        sa.ForeignKeyConstraint(["install_id"], ["installs.id"], name=op.f("fk_onboardings_install_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_onboardings_partner_id")),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_onboardings_product_id")),
        sa.ForeignKeyConstraint(["responsible_user_id"], ["users.id"], name=op.f("fk_onboardings_responsible_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_onboardings")),
        sa.UniqueConstraint("install_id", name=op.f("uq_onboardings_install_id")),
    )
    op.create_index("ix_onboardings_help", "onboardings", ["id"], unique=False, postgresql_where=sa.text("needs_help"))
    op.create_index("ix_onboardings_movement", "onboardings", ["status", "moved_at", "id"], unique=False)
    op.create_index(op.f("ix_onboardings_partner_id"), "onboardings", ["partner_id"], unique=False)
    op.create_index("ix_onboardings_product", "onboardings", ["product_id", "status", "id"], unique=False)
    op.create_index("ix_onboardings_responsible", "onboardings", ["responsible_user_id", "id"], unique=False)
    op.create_table(
        "onboarding_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("onboarding_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("step_id", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("actor_user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["actor_user_id"], ["users.id"], name=op.f("fk_onboarding_changes_actor_user_id")),
        sa.ForeignKeyConstraint(
            ["onboarding_id"], ["onboardings.id"], name=op.f("fk_onboarding_changes_onboarding_id")
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_onboarding_changes_partner_id")),
        sa.ForeignKeyConstraint(["step_id"], ["onboarding_steps.id"], name=op.f("fk_onboarding_changes_step_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_onboarding_changes")),
    )
    op.create_index(op.f("ix_onboarding_changes_onboarding_id"), "onboarding_changes", ["onboarding_id"], unique=False)
    op.create_index(
        "ix_onboarding_changes_recent", "onboarding_changes", ["partner_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "onboarding_tasks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("partner_id", sa.BigInteger(), nullable=False),
        sa.Column("onboarding_id", sa.BigInteger(), nullable=False),
        sa.Column("step_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=32), server_default="TODO", nullable=False),
        sa.Column("reported_by", sa.String(length=32), nullable=True),
        sa.Column("reported_by_user_id", sa.BigInteger(), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "reported_by IN ('PRODUCT', 'STAFF', 'PARTNER')", name=op.f("ck_onboarding_tasks_reported_by_allowed")
        ),
        sa.CheckConstraint(
            "status IN ('TODO', 'IN_PROGRESS', 'DONE', 'SKIPPED')", name=op.f("ck_onboarding_tasks_status_allowed")
        ),
        sa.ForeignKeyConstraint(["onboarding_id"], ["onboardings.id"], name=op.f("fk_onboarding_tasks_onboarding_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_onboarding_tasks_partner_id")),
        sa.ForeignKeyConstraint(
            ["reported_by_user_id"], ["users.id"], name=op.f("fk_onboarding_tasks_reported_by_user_id")
        ),
        sa.ForeignKeyConstraint(["step_id"], ["onboarding_steps.id"], name=op.f("fk_onboarding_tasks_step_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_onboarding_tasks")),
        sa.UniqueConstraint("onboarding_id", "step_id", name=op.f("uq_onboarding_tasks_onboarding_id_step_id")),
    )
    op.create_index(op.f("ix_onboarding_tasks_partner_id"), "onboarding_tasks", ["partner_id"], unique=False)
    op.create_index(op.f("ix_onboarding_tasks_step_id"), "onboarding_tasks", ["step_id"], unique=False)
