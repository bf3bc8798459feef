"""Products have modules; plans include them and set limits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
LIMITS = ("most_users", "most_departments", "most_integrations", "api_requests_per_minute")


def upgrade() -> None:
    """Products have modules; plans include them and set limits."""
    op.create_table(
        "modules",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_modules_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_modules")),
        sa.UniqueConstraint("product_id", "code", name=op.f("uq_modules_product_id_code")),
    )
    op.create_table(
        "plan_modules",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("module_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_plan_modules_plan_id")),
        sa.ForeignKeyConstraint(["module_id"], ["modules.id"], name=op.f("fk_plan_modules_module_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_modules")),
        sa.UniqueConstraint("plan_id", "module_id", name=op.f("uq_plan_modules_plan_id_module_id")),
    )
    op.create_index(op.f("ix_plan_modules_module_id"), "plan_modules", ["module_id"])
    for limit in LIMITS:
        op.add_column("plans", sa.Column(limit, sa.Integer()))
        op.create_check_constraint(op.f(f"ck_plans_{limit}_positive"), "plans", f"{limit} > 0")
    op.create_index(op.f("ix_invoices_plan_id"), "invoices", ["plan_id"])
