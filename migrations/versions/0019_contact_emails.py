"""People are found by their whole email."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """People are found by their whole email."""
    op.create_index(op.f("ix_contacts_email"), "contacts", ["email"])
