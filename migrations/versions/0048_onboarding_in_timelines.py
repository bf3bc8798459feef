"""The timeline of partners reads changes of onboardings."""

from __future__ import annotations

from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The timeline of partners reads changes of onboardings."""
    op.execute("ALTER INDEX ix_onboarding_changes_recent RENAME TO ix_onboarding_changes_timeline")
